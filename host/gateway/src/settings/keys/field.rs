//! The fields of `[plugins.ID]`, of `[[models]]` and of `LLM_PROVIDER_<n>_*`: tables that may be there many times.

/// One field of a table that may be there many times.
#[derive(Debug)]
pub(in crate::settings) struct Field {
    /// Name; `endpoints.NAME` stands for a table whose names are free.
    pub(in crate::settings) name: &'static str,
    /// What may be written.
    pub(in crate::settings) accepted: &'static str,
    /// What it does.
    pub(in crate::settings) text: &'static str,
}

impl Field {
    /// The name without what is free in it.
    pub(in crate::settings) fn head(&self) -> &'static str {
        self.name.split_once('.').map_or(self.name, |(head, _)| head)
    }
}

const fn field(name: &'static str, accepted: &'static str, text: &'static str) -> Field {
    Field { name, accepted, text }
}

/// Longest name of a plugin, an endpoint or a secret.
pub(in crate::settings) const NAME_BYTES: usize = 64;

/// What a plugin, an endpoint or a secret may be called.
pub(in crate::settings) const NAME_ACCEPTED: &str =
    "1 to 64 of a-z, 0-9, - and _, the first a letter or digit";

/// Whether a plugin, an endpoint or a secret may be called so.
pub(in crate::settings) fn is_name(text: &str) -> bool {
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    text.len() <= NAME_BYTES
        && text.bytes().all(plain)
        && !text.is_empty()
        && !text.starts_with(['-', '_'])
}

/// Providers that come with the gateway, as `LLM_PROVIDER_<n>_TYPE` names them.
pub(in crate::settings) const PROVIDERS: &[&str] =
    &["openai", "anthropic", "dify", "ollama", "echo"];
/// `[plugins.ID]`.
pub(in crate::settings) const PLUGIN_FIELDS: &[Field] = &[
    field(
        "source",
        r#""bundled:NAME" or "file:PATH""#,
        "Where the component is. Required. A relative path is taken from the working directory.",
    ),
    field(
        "sha256",
        r#"64 hexadecimal digits, or "" for any"#,
        "What the component's digest must be.",
    ),
    field("enabled", "true or false", "Whether it is loaded. Default true."),
    field(
        "settings",
        "a table; in a variable, a JSON object",
        "Handed to the plugin, which checks it.",
    ),
    field(
        "endpoints.NAME",
        "an https address, or http to a private or loopback host",
        "The host the plugin means by NAME. It can reach no other.",
    ),
    field(
        "secrets.NAME",
        r#""env:VAR", "file:PATH" or the secret itself; for api_key, in a file, also a list of 1 to 16 of these"#,
        "Added to the plugin's calls by the gateway. The plugin never sees it. Of several keys one is used until the vendor refuses it for its quota, its rate or itself; then the next one is, and it rests.",
    ),
    field(
        "limits",
        "a table; in a variable, a JSON object",
        "Bounds of this plugin: memory (1MiB to 16MiB, default 16MiB), answers at a time (default three quarters of sandbox.max_answers where several plugins answer), and time for its own code: configure (default 20ms), start (50ms), step (20ms), hook (10ms), window (5ms) and embedding (300ms; lists of models too) for each call, answer (10s) for all calls of an answer.",
    ),
    field(
        "grants",
        "a table with private_network = true or false and response_headers, a list of names; in a variable, a JSON object",
        "What the plugin may do beyond what any may: private_network lets names of its endpoints that may be anywhere lead into private networks; response_headers are headers of responses, in lower case, that it asks to see.",
    ),
    field(
        "on_failure",
        r#""closed" or "open""#,
        "Whether a policy that fails, or takes too long, refuses or is passed over. Default closed.",
    ),
];

/// `[[models]]`.
pub(in crate::settings) const MODEL_FIELDS: &[Field] = &[
    field(
        "id",
        "1 to 100 bytes without control characters, once among all models",
        "What clients pick. Required.",
    ),
    field("name", "text of at most 200 bytes", "What people see. Default: the id."),
    field("plugin", "the ID of an enabled plugin", "Who answers. Required."),
    field(
        "upstream",
        "text of at most 200 bytes",
        "What the provider calls the model. Default: the id.",
    ),
    field(
        "system_prompt",
        "text of at most 65536 bytes",
        "Sent before every conversation, instead of session.system_prompt.",
    ),
    field(
        "price.KIND",
        "whole numbers from 0 to 1000000000000 for input and output, and where they differ for cached_input, cache_write and reasoning",
        "What a million tokens cost, in millionths of your currency: 2500000 is 2.50. Without it nothing is said of costs.",
    ),
    field("max_output_tokens", "a whole number from 1 to 10000000", "Longest answer."),
    field(
        "fallback",
        "a list of ids of other models",
        "Who answers instead, in order, when this one fails before anybody was shown anything of it.",
    ),
    field(
        "also",
        "a list of at most 15 tables, each with a plugin",
        "Further upstreams of the same model. Each conversation is asked of one of them, by its weight, and of the others when that fails before anybody was shown anything of it.",
    ),
    field(
        "weight",
        "a whole number from 0 to 1000",
        "How many conversations this upstream has beside those of also; 0 is one that only stands in. Default 1.",
    ),
    field(
        "roles",
        "a list of roles",
        "Who may use it: whoever has one of these roles in their token. Empty means everybody. To all others it is not there.",
    ),
];

/// Each table of `also` in `[[models]]`.
pub(in crate::settings) const ALSO_FIELDS: &[Field] = &[
    field("plugin", "the ID of an enabled plugin", "Who answers. Required."),
    field(
        "upstream",
        "text of at most 200 bytes",
        "What the provider calls the model. Default: as in the model.",
    ),
    field(
        "weight",
        "a whole number from 0 to 1000",
        "How many conversations it has beside the others; 0 is one that only stands in. Default 1.",
    ),
    field(
        "price.KIND",
        "as in the model",
        "What its tokens cost, if that is not what the model's do.",
    ),
];

/// `LLM_PROVIDER_<n>_*`, n from 1 to 99.
pub(in crate::settings) const SLOT_FIELDS: &[Field] = &[
    field(
        "ID",
        "1 to 100 bytes without control characters, once among all models",
        "What clients pick. Required.",
    ),
    field("NAME", "text of at most 200 bytes", "What people see. Default: the ID."),
    field(
        "TYPE",
        r#""openai", "anthropic", "dify", "ollama" or "echo""#,
        "The bundled provider. Required.",
    ),
    field(
        "ENDPOINT",
        "an https address, or http to a private or loopback host",
        "Base address as the provider writes it, such as https://api.openai.com/v1. Required except for echo.",
    ),
    field(
        "API_KEY",
        r#""env:VAR", "file:PATH" or the secret itself"#,
        "Key of the provider. Required unless the ENDPOINT is a private or loopback host.",
    ),
    field(
        "MODEL",
        "text of at most 200 bytes",
        "What the provider calls the model. Default: the ID.",
    ),
];
