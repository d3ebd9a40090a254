// `expose show ID`: one exchange with its headers and bodies, safe for a terminal; or one of its bodies as it passed.
import type { BodyView, Exchange, MessagePage } from "@expose/protocol";
import { ExposeError } from "../../errors.ts";
import type { CommandRun } from "../command.ts";
import type { InspectorClient } from "../inspectors/client.ts";
import { findExchange, openInspectors } from "../inspectors/find.ts";
import { resolveId } from "../inspectors/list.ts";
import { formatDetail } from "../output/exchange-detail.ts";
import { encodeEvent } from "../output/json.ts";

export const run: CommandRun = async (context, [wanted = ""], flags) => {
  const { io } = context;
  const side = readSide(flags.body);
  const inspectors = await openInspectors(context);
  try {
    const id = await resolveId(inspectors, wanted);
    const { client, exchange } = await findExchange(inspectors, id);
    if (side !== undefined) return await writeBody(client, exchange, side, io);
    const messages = await client.get<MessagePage>(
      `/api/v1/exchanges/${exchange.id}/messages`,
    );
    if (flags.json) {
      const [request, response] = await Promise.all([
        readBody(client, exchange, "request"),
        readBody(client, exchange, "response"),
      ]);
      io.stdout.write(
        encodeEvent("exchange", new Date(exchange.startedAt), {
          ...exchange,
          requestBody: request.bytes.toString("base64"),
          responseBody: response.bytes.toString("base64"),
          messageItems: messages.items,
        }),
      );
      return 0;
    }
    const [request, response] = await Promise.all([
      readView(client, exchange, "request"),
      readView(client, exchange, "response"),
    ]);
    io.stdout.write(
      `${formatDetail(exchange, { request, response }, messages.items).join("\n")}\n`,
    );
    return 0;
  } finally {
    await inspectors.close();
  }
};

type Side = "request" | "response";

function readSide(text: string | undefined): Side | undefined {
  if (text === undefined || text === "request" || text === "response")
    return text;
  throw new ExposeError(
    "usage-invalid",
    `--body "${text}" is neither request nor response.`,
  );
}

const readBody = (client: InspectorClient, { id }: Exchange, side: Side) =>
  client.getBytes(`/api/v1/exchanges/${id}/${side}/body`);

const readView = (client: InspectorClient, { id }: Exchange, side: Side) =>
  client.get<BodyView>(`/api/v1/exchanges/${id}/${side}/view`);

// Bytes as they passed are for files and other programs: in a terminal they could be anything.
async function writeBody(
  client: InspectorClient,
  exchange: Exchange,
  side: Side,
  io: Parameters<CommandRun>[0]["io"],
): Promise<number> {
  if (io.stdout.isTTY)
    throw new ExposeError(
      "usage-invalid",
      `--body writes bytes as they passed, which a terminal could take for commands: redirect it, as in \`expose show ${exchange.id} --body ${side} > body.bin\`.`,
    );
  const { bytes, truncated } = await readBody(client, exchange, side);
  io.stdout.write(bytes);
  if (truncated)
    io.stderr.write(
      `expose: only the first ${bytes.length} bytes of the body were kept.\n`,
    );
  return 0;
}
