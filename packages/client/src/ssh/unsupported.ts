// Which directives of ssh_config(5) change how or as whom ssh logs in and are not supported here. Everything that is
// neither supported nor in this table has no effect on a login by key: it is passed over in silence.

/**
 * Says that a directive is not followed, and what happens instead.
 *
 * @param name the directive as written
 * @returns undefined when the directive is supported, does not matter, or is switched off by its value
 */
export function explainUnsupported(
  name: string,
  value: string,
  path: string,
): string | undefined {
  const consequence = CONSEQUENCES.get(name.toLowerCase());
  const sentence =
    typeof consequence === "function"
      ? consequence(value)
      : OFF.test(value)
        ? undefined
        : consequence;
  return sentence && `${name} in ${path} is not supported: ${sentence}`;
}

const OFF = /^(?:no|none|false)$/i;
const KEYS_ONLY = "expose logs in with a key and in no other way.";
const OWN_ALGORITHMS = "expose keeps to its own list of algorithms.";

const CONSEQUENCES = new Map<
  string,
  string | ((value: string) => string | undefined)
>(
  Object.entries({
    proxycommand:
      'the connection goes to the server directly. Where the command is "ssh -W %h:%p HOST", write "ProxyJump HOST" instead.',
    proxyusefdpass: "the connection goes to the server directly.",
    certificatefile:
      "certificates are not offered; log in with an ordinary key.",
    pkcs11provider:
      "keys on smart cards are offered only when ssh-agent holds them.",
    canonicalizehostname: "the host name is used as it is written.",
    knownhostscommand: "host keys are looked up in known_hosts files alone.",
    revokedhostkeys:
      'its list is not read. Mark revoked keys with "@revoked" in known_hosts instead.',
    verifyhostkeydns: "host keys are looked up in known_hosts files alone.",
    bindaddress: "the system chooses the local address.",
    bindinterface: "the system chooses the local address.",
    hostkeyalgorithms: OWN_ALGORITHMS,
    kexalgorithms: OWN_ALGORITHMS,
    ciphers: OWN_ALGORITHMS,
    macs: OWN_ALGORITHMS,
    pubkeyacceptedalgorithms: OWN_ALGORITHMS,
    pubkeyacceptedkeytypes: OWN_ALGORITHMS,
    preferredauthentications: (value: string) =>
      /\bpublickey\b/.test(value) ? undefined : KEYS_ONLY,
    pubkeyauthentication: (value: string) =>
      OFF.test(value) ? KEYS_ONLY : undefined,
  }),
);
