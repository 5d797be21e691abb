//! The table itself, in the order of the generated file.

use super::{Key, Old, Part, old};
use crate::settings::value::Kind;

const SECOND: u64 = 1_000;
const HOUR: u64 = 3_600 * SECOND;
const DAY: u64 = 24 * HOUR;
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// Any wait of the gateway. The lower bound keeps a slip from turning a wait into a busy loop.
const WAIT: Kind = Kind::Duration(10, HOUR);
/// How long something is kept, or how often it is swept.
const KEEP: Kind = Kind::Duration(10, 30 * DAY);

/// Every key outside `[plugins.ID]` and `[[models]]`.
pub(in crate::settings) const KEYS: &[Key] = &[
    Key::new(
        "server.bind",
        Kind::Address,
        r#""127.0.0.1:8080""#,
        "Address and port to listen on. SERVER_PORT changes the port and keeps the address.",
    )
    .old(&[Old { name: "SERVER_PORT", part: Part::Port }]),
    Key::new(
        "server.path_prefix",
        Kind::Prefix,
        r#""/chatbox""#,
        "Path in front of the routes. /v1 and /metrics are there without it as well.",
    )
    .old(&[old("CHATBOX_PATH_PREFIX")]),
    Key::new(
        "server.allowed_origins",
        Kind::Origins,
        "[]",
        "Web pages that may open a WebSocket, compared exactly. Empty means pages of the same host only. In a \
         variable they are separated by commas.",
    )
    .old(&[old("ALLOWED_ORIGINS")])
    .reloaded(),
    Key::new(
        "server.cors_origins",
        Kind::Origins,
        "[]",
        "Web pages of other hosts that may call the HTTP routes. Empty means none.",
    )
    .old(&[old("CORS_ALLOWED_ORIGINS")])
    .reloaded(),
    Key::new(
        "server.trusted_proxies",
        Kind::Networks,
        "[]",
        "Proxies whose X-Forwarded-For is believed: the rightmost address in it that is none of theirs is the client's. Empty \
         means that nobody is believed.",
    )
    .reloaded(),
    Key::new(
        "server.max_connections",
        Kind::Count(1, 1_000_000),
        "10000",
        "Open connections at one time; further ones are refused.",
    )
    .old(&[old("MAX_CONNECTIONS")]),
    Key::new(
        "server.shutdown_timeout",
        Kind::Duration(0, HOUR),
        r#""30s""#,
        "How long running answers may take to end when the gateway stops.",
    )
    .old(&[old("SHUTDOWN_TIMEOUT")]),
    Key::new(
        "server.public_url",
        Kind::WebAddress,
        r#""""#,
        "Address under which users reach the gateway, for links and the check of host names.",
    ),
    Key::new(
        "auth.jwt_secret",
        Kind::SigningSecret,
        r#""""#,
        "Signs and verifies tokens (HS256). Required unless there are keys by jwks_url or jwks_file. Weak words, placeholders and repeated patterns are refused.",
    )
    .old(&[old("JWT_SECRET")]),
    Key::new(
        "auth.previous_jwt_secrets",
        Kind::SigningSecrets,
        "[]",
        "Secrets that still verify tokens but sign none, for a change of secrets without logging anybody out.",
    ),
    Key::new(
        "auth.jwks_url",
        Kind::Text(4_096),
        r#""""#,
        "Address of the public keys that verify tokens, a JSON Web Key Set: https, or plain http to a private host. They are \
         fetched every 5 minutes and when a token names a new key; when they cannot be fetched the old ones count for a day.",
    ),
    Key::new(
        "auth.jwks_file",
        Kind::Text(4_096),
        r#""""#,
        "File of the public keys that verify tokens, instead of jwks_url and read as often.",
    ),
    Key::new(
        "auth.issuer",
        Kind::Text(1_024),
        r#""""#,
        "What a token's `iss` must be. Empty means it is not looked at.",
    ),
    Key::new(
        "auth.audience",
        Kind::Text(1_024),
        r#""""#,
        "What a token's `aud` must contain. Empty means it is not looked at.",
    ),
    Key::new(
        "auth.algorithms",
        Kind::Words,
        "[]",
        "Algorithms a token may be signed with. Empty means HS256 where there is a secret, and RS256, ES256 and EdDSA where \
         there are keys.",
    ),
    Key::new(
        "auth.leeway",
        Kind::Duration(0, 300 * SECOND),
        r#""30s""#,
        "How far clocks may be apart when a token's times are checked.",
    ),
    Key::new(
        "auth.allow_query_token",
        Kind::Flag,
        "true",
        "Whether a WebSocket may carry its token as `?token=`, as older clients do. It is never logged here, but may \
         be by proxies.",
    ),
    Key::new(
        "auth.admin_roles",
        Kind::Words,
        r#"["admin", "chat_admin"]"#,
        "Roles that make a user an operator.",
    ),
    Key::new(
        "limits.messages",
        Kind::Rate,
        r#""100/1m""#,
        "Messages of one user in any window of that length. Refused ones do not count.",
    )
    .old(&[Old { name: "RATE_LIMIT", part: Part::PerMinute }])
    .reloaded(),
    Key::new(
        "limits.admin",
        Kind::Rate,
        r#""20/1m""#,
        "Requests of one operator to the admin routes, counted apart from messages.",
    )
    .old(&[
        Old { name: "ADMIN_RATE_LIMIT", part: Part::PerMinute },
        Old { name: "ADMIN_RATE_WINDOW", part: Part::Window },
    ])
    .reloaded(),
    Key::new(
        "limits.public",
        Kind::Rate,
        r#""60/1m""#,
        "Requests of one address to routes that want no token; and, counted apart, refused tokens of one address. A /64 of \
         IPv6 is one address.",
    )
    .reloaded(),
    Key::new(
        "limits.cleanup_interval",
        KEEP,
        r#""5m""#,
        "How often forgotten counters are swept out.",
    )
    .old(&[old("RATE_LIMIT_CLEANUP_INTERVAL")])
    .reloaded(),
    Key::new(
        "limits.connections_per_user",
        Kind::Count(1, 10_000),
        "10",
        "Open connections of one user.",
    )
    .reloaded(),
    Key::new(
        "limits.connections_per_address",
        Kind::Count(1, 1_000_000),
        "1000",
        "Open connections of one address. Those from this machine are not counted: a proxy is behind them, or its owner.",
    )
    .reloaded(),
    Key::new(
        "limits.max_message_size",
        Kind::Size(KIB, 64 * MIB),
        r#""1MiB""#,
        "Longest WebSocket message.",
    )
    .old(&[old("MAX_MESSAGE_SIZE")])
    .reloaded(),
    Key::new(
        "limits.max_content",
        Kind::Count(1, MIB),
        "10000",
        "Longest text of one user message, in characters. Not above max_message_size; when it is not written it \
         follows that down.",
    )
    .reloaded(),
    Key::new(
        "limits.max_body",
        Kind::Size(KIB, 1_024 * MIB),
        r#""32MiB""#,
        "Longest body of an HTTP request.",
    )
    .reloaded(),
    Key::new(
        "session.ttl",
        KEEP,
        r#""15m""#,
        "How long a session nobody uses stays in memory. It is stored in any case.",
    )
    .old(&[old("SESSION_TTL")]),
    Key::new(
        "session.cleanup_interval",
        KEEP,
        r#""5m""#,
        "How often idle sessions are swept out of memory.",
    )
    .old(&[old("SESSION_CLEANUP_INTERVAL")]),
    Key::new(
        "session.reconnect_timeout",
        Kind::Duration(10, DAY),
        r#""15m""#,
        "How far back a client that comes back can be shown what it missed.",
    )
    .old(&[old("RECONNECT_TIMEOUT")]),
    Key::new(
        "session.queue",
        Kind::Count(0, 1_000),
        "8",
        "User messages that may wait in one session while an answer runs.",
    ),
    Key::new(
        "session.history_tokens",
        Kind::Count(1, 10_000_000),
        "8000",
        "How much of the conversation is sent to the model, in estimated tokens.",
    ),
    Key::new(
        "session.history_messages",
        Kind::Count(1, 10_000),
        "50",
        "How much of the conversation is sent to the model, in messages.",
    ),
    Key::new(
        "session.system_prompt",
        Kind::Text(64 * 1_024),
        r#""""#,
        "Sent to the model before every conversation, unless the model has a prompt of its own.",
    ),
    Key::new(
        "session.operator_absence",
        KEEP,
        r#""5m""#,
        "After how long without its operator a session goes back to the model.",
    )
    .later(),
    Key::new(
        "llm.stream_timeout",
        WAIT,
        r#""120s""#,
        "Longest time for a whole answer.",
    )
    .old(&[old("LLM_STREAM_TIMEOUT")]),
    Key::new(
        "llm.first_byte_timeout",
        WAIT,
        r#""30s""#,
        "Longest time until an answer begins. Not above stream_timeout; when it is not written it follows that down.",
    ),
    Key::new(
        "llm.idle_timeout",
        WAIT,
        r#""30s""#,
        "Longest silence within an answer. Not above stream_timeout; when it is not written it follows that down.",
    ),
    Key::new(
        "llm.connect_timeout",
        WAIT,
        r#""10s""#,
        "Longest time to connect to a provider. Not above stream_timeout; when it is not written it follows that \
         down.",
    ),
    Key::new(
        "llm.default_model",
        Kind::Text(100),
        r#""""#,
        "Id of the model for those who chose none. Empty means the first one.",
    )
    .reloaded(),
    Key::new(
        "storage.engine",
        Kind::Choice(&["sqlite", "mongodb"]),
        r#""sqlite""#,
        "Where conversations are kept. When it is not written and MONGO_URI is set, mongodb is meant.",
    ),
    Key::new(
        "storage.encryption_key",
        Kind::SealingKey,
        r#""""#,
        "Seals what people say and what conversations are called. Empty means that it is stored readable. What was \
         stored before stays as it is until `sluice reseal`.",
    )
    .old(&[old("ENCRYPTION_KEY")]),
    Key::new(
        "storage.previous_encryption_keys",
        Kind::SealingKeys,
        "[]",
        "Keys that still open what they sealed, until `sluice reseal` has sealed it under the current one.",
    ),
    Key::new(
        "storage.retention",
        Kind::Duration(0, 36_500 * DAY),
        r#""0s""#,
        "Conversations in which nothing was said for that long are deleted. 0s keeps them for good.",
    ),
    Key::new(
        "storage.sqlite.path",
        Kind::Path,
        r#""data/sluice.db""#,
        "The database file. A relative path is taken from the working directory.",
    ),
    Key::new(
        "storage.mongodb.uri",
        Kind::Secret,
        r#""""#,
        "Address of the database, mongodb:// or mongodb+srv://. What it says of write concern, read preference, retries \
         and compression does not count.",
    )
        .old(&[old("MONGO_URI")]),
    Key::new("storage.mongodb.database", Kind::Text(63), r#""chat""#, "Name of the database.")
        .old(&[old("MONGO_DATABASE")]),
    Key::new(
        "storage.mongodb.instance",
        Kind::Text(100),
        r#""""#,
        "What this gateway calls itself: after a crash the same name gets the database back at once, another one within \
         ten seconds. Never the same for two gateways. Empty means a new name at each start.",
    ),
    Key::new(
        "storage.mongodb.retry_attempts",
        Kind::Count(1, 100),
        "3",
        "How often an operation is tried when the database cannot be reached.",
    )
    .old(&[old("MONGO_RETRY_ATTEMPTS")]),
    Key::new(
        "storage.mongodb.retry_delay",
        WAIT,
        r#""100ms""#,
        "Wait before the second try; it doubles with each.",
    )
    .old(&[old("MONGO_RETRY_DELAY")]),
    Key::new("storage.mongodb.retry_max_delay", WAIT, r#""2s""#, "Longest wait between two tries.")
        .old(&[old("MONGO_RETRY_MAX_DELAY")]),
    Key::new("storage.mongodb.connect_timeout", WAIT, r#""10s""#, "How long to wait for the database at start.")
        .old(&[old("MONGO_CONNECT_TIMEOUT")]),
    Key::new(
        "sandbox.plugin_directory",
        Kind::Path,
        r#""plugins""#,
        "Where bundled plugins are looked for that are not part of the program. A relative path is taken from the \
         folder of the program, never from the working directory.",
    ),
    Key::new(
        "sandbox.max_answers",
        Kind::Count(1, 100_000),
        "2000",
        "Plugin calls that may run at one time.",
    ),
    Key::new(
        "sandbox.cache_directory",
        Kind::Path,
        r#""data/compiled""#,
        "Where compiled plugins are kept. A relative path is taken from the working directory.",
    ),
    Key::new("sandbox.trusted_keys", Kind::Words, "[]", "Keys whose signatures on plugins count.").later(),
    Key::new(
        "policies.chain",
        Kind::Words,
        "[]",
        "Policies that are asked, in this order: IDs of plugins that judge.",
    )
    .reloaded(),
    Key::new(
        "policies.break_glass",
        Kind::Words,
        "[]",
        "Users whose actions as operators no policy is asked about, so that a wrong policy locks nobody out.",
    )
    .reloaded(),
    Key::new(
        "notify.on",
        Kind::Routes,
        "{}",
        "Who is told of which event: `mail`, and plugins by their IDs. Events are `help_request` and `alarm`. Of one that is not \
         named mail is told, where there is mail; of one with an empty list nobody.",
    ),
    Key::new(
        "notify.admin_emails",
        Kind::Words,
        "[]",
        "Whom mail goes to. In a variable they are separated by commas.",
    )
    .old(&[old("ADMIN_EMAILS")]),
    Key::new(
        "notify.admin_panel_url",
        Kind::WebAddress,
        r#""""#,
        "Where operators look at sessions. A request for help links to this address, with the session's id behind it.",
    )
    .old(&[old("ADMIN_PANEL_URL")]),
    Key::new("notify.smtp.host", Kind::Text(253), r#""""#, "The mail server. Empty means that there is no mail.")
        .old(&[old("SMTP_HOST")]),
    Key::new("notify.smtp.port", Kind::Count(1, 65_535), "587", "Its port.").old(&[old("SMTP_PORT")]),
    Key::new(
        "notify.smtp.security",
        Kind::Choice(&["auto", "starttls", "tls", "none"]),
        r#""auto""#,
        "How the connection is secured. auto is tls on port 465, none to this machine, and else starttls, without which nothing \
         is sent. none is for private hosts only.",
    ),
    Key::new("notify.smtp.user", Kind::Text(320), r#""""#, "Who the gateway is to the mail server. Empty means nobody.")
        .old(&[old("SMTP_USER")]),
    Key::new("notify.smtp.password", Kind::Secret, r#""""#, "The password for it.").old(&[old("SMTP_PASS")]),
    Key::new("notify.smtp.from", Kind::Text(320), r#""""#, "The address that mail is from.")
        .old(&[old("EMAIL_FROM")]),
    Key::new(
        "telemetry.log_format",
        Kind::Choice(&["text", "json"]),
        r#""text""#,
        "Form of a log line.",
    ),
    Key::new(
        "telemetry.level",
        Kind::Filter,
        r#""info""#,
        "What is logged: a level for all, or directives for parts of the program.",
    )
    .reloaded(),
    Key::new(
        "telemetry.metrics_networks",
        Kind::Networks,
        r#"["127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"]"#,
        "Who may read the metrics. Empty means nobody.",
    ),
    Key::new("telemetry.otlp_endpoint", Kind::WebAddress, r#""""#, "Where traces are sent.").later(),
];

/// Variables that older set-ups carry and that do nothing here, each with what to do instead.
pub(in crate::settings) const DEAD_VARIABLES: &[(&str, &str)] = &[
    ("ADMIN_API_KEY", "operators are users with a role in auth.admin_roles"),
    (
        "ADMIN_PHONES",
        "there is no text message; a notifier plugin tells anybody who has an HTTP API",
    ),
    ("CHATBOX_ALLOWED_ORIGINS", "use ALLOWED_ORIGINS"),
    ("ENABLE_ADMIN_TAKEOVER", "there is no such switch"),
    ("ENABLE_FILE_UPLOADS", "uploads are not available yet"),
    ("ENABLE_HELP_REQUESTS", "there is no such switch"),
    ("ENABLE_METRICS", "there is no such switch"),
    ("ENABLE_VOICE_MESSAGES", "uploads are not available yet"),
    ("K8S_CONFIGMAP_NAME", "the gateway does not ask the cluster"),
    ("K8S_ENABLE_PROBE", "the probes are always there"),
    ("K8S_NAMESPACE", "the gateway does not ask the cluster"),
    ("K8S_SECRET_NAME", "the gateway does not ask the cluster"),
    ("K8S_SERVICE_NAME", "the gateway does not ask the cluster"),
    ("LOG_DIR", "logs go to standard error"),
    ("LOG_LEVEL", "use SLUICE_TELEMETRY__LEVEL"),
    ("MONGO_COLLECTION", "collections are named sluice_*"),
    ("MONGO_PASSWORD", "put it into MONGO_URI"),
    ("MONGO_USERNAME", "put it into MONGO_URI"),
    ("RMBASE_FILE_CFG", "use --config FILE"),
    ("S3_ACCESS_KEY_ID", "uploads are not available yet"),
    ("S3_BUCKET", "uploads are not available yet"),
    ("S3_ENDPOINT", "uploads are not available yet"),
    ("S3_REGION", "uploads are not available yet"),
    ("S3_SECRET_ACCESS_KEY", "uploads are not available yet"),
    (
        "SMS_ACCOUNT_SID",
        "there is no text message; a notifier plugin tells anybody who has an HTTP API",
    ),
    (
        "SMS_API_KEY",
        "there is no text message; a notifier plugin tells anybody who has an HTTP API",
    ),
    (
        "SMS_AUTH_TOKEN",
        "there is no text message; a notifier plugin tells anybody who has an HTTP API",
    ),
    (
        "SMS_PROVIDER",
        "there is no text message; a notifier plugin tells anybody who has an HTTP API",
    ),
    ("WS_ALLOWED_ORIGINS", "use ALLOWED_ORIGINS"),
];

/// Variables of the tools around the gateway, without their `SLUICE_`: what begins so is theirs.
pub(in crate::settings) const TOOL_VARIABLES: &[&str] = &[
    "BIN", "BUNDLE", "CHROMIUM", "GUESTS", "MODEL", "PLUGINS", "PYTHON", "TESTS", "TOKEN", "TOOL",
    "TOOLS",
];
