// The page's entry: puts the application into its place.
import { render } from "preact";
import { App } from "./app.tsx";
import { Exchanges } from "./state/exchanges.ts";
import { Session } from "./state/session.ts";
import "./style/tokens.css";
import "./style/base.css";
import "./style/frame.css";
import "./style/list.css";
import "./style/detail.css";
import "./style/dialog.css";

const exchanges = new Exchanges();
const session = new Session(exchanges);
session.start();
render(
  <App exchanges={exchanges} session={session} />,
  document.getElementById("app")!,
);
