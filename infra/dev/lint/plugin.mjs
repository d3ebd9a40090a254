// oxlint plugin with the project's own rule: imports follow the arrows of import-arrows.mjs.
import { relative, sep } from "node:path";
import { inRoot } from "../paths.mjs";
import { explainImport } from "./import-arrows.mjs";

export default {
  meta: { name: "expose" },
  rules: {
    "import-arrows": {
      create(context) {
        const file = relative(inRoot(), context.filename).split(sep).join("/");
        const check = (node) => {
          if (typeof node.source?.value !== "string") return;
          const message = explainImport(
            file,
            node.source.value,
            isTypeOnly(node),
          );
          if (message) context.report({ node: node.source, message });
        };
        return {
          ImportDeclaration: check,
          ExportNamedDeclaration: check,
          ExportAllDeclaration: check,
          ImportExpression: check,
          TSImportType: check,
        };
      },
    },
  },
};

const isTypeOnly = (node) =>
  node.type === "TSImportType" ||
  (node.importKind ?? node.exportKind) === "type" ||
  // import { type A, type B }: verbatimModuleSyntax keeps the import, but nothing of it is used.
  (Boolean(node.specifiers?.length) &&
    node.specifiers.every(
      (one) => (one.importKind ?? one.exportKind) === "type",
    ));
