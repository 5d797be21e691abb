//! `config/sluice.toml` and `docs/operating/configuration.md`, made from the table of keys.
//!
//! Exists for two tests only: each compares the committed file, and when it differs writes it anew and fails once.

use std::fs;
use std::path::Path;

use super::keys::field::{ALSO_FIELDS, Field, MODEL_FIELDS, PLUGIN_FIELDS, SLOT_FIELDS};
use super::keys::table::{DEAD_VARIABLES, KEYS};
use super::keys::{Effect, Key};

const WIDTH: usize = 100;

const TOML_HEAD: &str = "\
Every key of Sluice with its default. This file is made from the table of keys in host/gateway/src/settings/keys; \
a test compares them.

Values come from the built-in defaults, then from files in order (`--config FILE`, any number), then from variables. \
A later file wins, key by key; of a list the later one counts as a whole. \
An empty text or list means: not set.";

const TOML_TAIL: &str = r#"# What answers. Any number of these; also by LLM_PROVIDER_<n>_* (see docs/operating/configuration.md).
#
# [plugins.openai]
# source = "bundled:openai"
# endpoints.api = "https://api.openai.com/v1"
# secrets.api_key = "env:OPENAI_API_KEY"
#
# [[models]]
# id = "gpt-4o-mini"
# name = "GPT-4o mini"
# plugin = "openai"
# upstream = "gpt-4o-mini"
"#;

const DOCS_HEAD: &str = "\
# Configuration

<!-- Made from the table of keys in host/gateway/src/settings/keys; a test compares them. -->

Values come from the built-in defaults, then from TOML files in the order of `--config FILE`, then from variables.
A later source wins, key by key; of a list the later one counts as a whole.
No file is needed: `JWT_SECRET` and one provider of `LLM_PROVIDER_<n>_*` make a working gateway.

`sluice check` reads everything, tells all problems at once, and exits with 64 when there are any.
Each problem names the key, the file and line or the variable it came from, and what would be accepted.
An unknown key is a problem; a known one that does nothing yet is a warning.
`sluice check --explain KEY` tells about one key or variable.

A duration is a text such as `\"500ms\"`, `\"15m\"` or `\"1h30m\"`; a size is `\"1MiB\"` or a number of bytes; a rate such as `\"100/1m\"` is at most 100 in any minute.
An empty text or list means that nothing is set, and an empty variable counts as unset.
In a variable a list is separated by commas, and nothing else is interpreted: digits stay text where text is wanted.
Every secret may be the secret itself, `env:VAR` or `file:PATH`, and is printed as `***`.
A secret that signs tokens has at least 32 characters, none of the usual weak words and no repeated pattern; `openssl rand -base64 48` makes a good one.

`SIGHUP` reads everything again and puts in force what may change while the gateway runs: the keys marked so below, and all of `[[models]]`, as long as their plugins are loaded already. Models and policies that are passed over because they failed stay so.
No connection is touched.
A configuration with any problem changes nothing: each problem is logged, and what is in force stays.
What changed but needs a restart is named in a warning.
";

const DOCS_VARIABLES: &str = "\
## Variables

Every key above is also `SLUICE_SECTION__KEY`: `server.bind` is `SLUICE_SERVER__BIND`, `storage.sqlite.path` is `SLUICE_STORAGE__SQLITE__PATH`.
Fields of plugins are too: `SLUICE_PLUGINS__ID__SOURCE`, `SLUICE_PLUGINS__ID__SECRETS__API_KEY`; a `-` in an id is written `_`.
Models are not.
`SLUICE_*` wins over the older names below, and those win over files.
A variable that begins with `SLUICE_` and is nearly the name of a key is a problem; one that Kubernetes makes for a Service is not looked at.
";

const DOCS_DEAD: &str = "\
These do nothing here, and a warning says so:
";

/// The text of `config/sluice.toml`.
pub(super) fn sluice_toml() -> String {
    let mut blocks: Vec<String> =
        vec![TOML_HEAD.split("\n\n").map(comment).collect::<Vec<_>>().join("\n#\n")];
    let mut section = "";
    for key in KEYS {
        if key.section() != section {
            section = key.section();
            blocks.push(format!("[{section}]"));
        }
        blocks.push(entry(key));
    }
    blocks.push(TOML_TAIL.into());
    blocks.join("\n\n")
}

/// One key with all that is to be known about it.
fn entry(key: &Key) -> String {
    let effect = match key.effect {
        Effect::Later => " No effect yet.",
        Effect::Now => "",
    };
    let reload = if key.reloaded { " Reloaded on SIGHUP." } else { "" };
    let text = comment(&format!("{}{effect}{reload}", key.text));
    let accepted = comment(&format!("Accepted: {}.", key.kind.accepted()));
    let variables = comment(&format!("Variables: {}.", key.variables().join(", ")));
    format!("{text}\n{accepted}\n{variables}\n{} = {}", key.leaf(), key.default)
}

/// Wraps a text into lines of a comment.
fn comment(text: &str) -> String {
    let mut lines = vec![String::from("#")];
    for word in text.split(' ') {
        if lines.last().is_some_and(|line| line.chars().count() + word.chars().count() >= WIDTH) {
            lines.push("#".into());
        }
        if let Some(line) = lines.last_mut() {
            line.push(' ');
            line.push_str(word);
        }
    }
    lines.join("\n")
}

/// The text of `docs/operating/configuration.md`.
pub(super) fn markdown() -> String {
    let mut blocks: Vec<String> = vec![DOCS_HEAD.trim_end().into()];
    let mut section = "";
    for key in KEYS {
        if key.section() != section {
            section = key.section();
            let head = "| Key | Default | What it does | Accepted |\n|---|---|---|---|";
            blocks.push(format!("\n## `[{section}]`\n\n{head}"));
        }
        blocks.push(row(key));
    }
    blocks.push(fields("`[plugins.ID]`", "Key", PLUGIN_FIELDS));
    blocks.push(fields("`[[models]]`", "Key", MODEL_FIELDS));
    blocks.push(fields("`also` of `[[models]]`", "Key", ALSO_FIELDS));
    blocks.push(format!("\n{DOCS_VARIABLES}"));
    blocks.push("| Variable | Sets |\n|---|---|".into());
    for key in KEYS {
        let rows = key.variables().into_iter().skip(1).map(|variable| {
            let (name, part) = variable.split_once(' ').unwrap_or((&variable, ""));
            format!("| `{name}` | {} |", format!("`{}` {part}", key.name).trim_end())
        });
        blocks.extend(rows);
    }
    blocks.push(fields("`LLM_PROVIDER_<n>_*`", "Variable ends in", SLOT_FIELDS));
    blocks.push(SLOT_NOTE.into());
    blocks
        .push(format!("## Variables without effect\n\n{DOCS_DEAD}\n| Variable | Why |\n|---|---|"));
    blocks.extend(DEAD_VARIABLES.iter().map(|(name, hint)| format!("| `{name}` | {hint} |")));
    blocks.join("\n") + "\n"
}

const SLOT_NOTE: &str = "
n is 1 to 99, and numbers may be left out.
Each makes a plugin `provider-<n>` and a model, after those of the files.
";

fn row(key: &Key) -> String {
    let effect = match key.effect {
        Effect::Later => " No effect yet.",
        Effect::Now => "",
    };
    let reload = if key.reloaded { " Reloaded on SIGHUP." } else { "" };
    format!(
        "| `{}` | `{}` | {}{effect}{reload} | {} |",
        key.leaf(),
        key.default,
        escaped(key.text),
        escaped(&key.kind.accepted()),
    )
}

fn fields(title: &str, first: &str, fields: &[Field]) -> String {
    let head = format!("\n## {title}\n\n| {first} | What it does | Accepted |\n|---|---|---|");
    let rows = fields.iter().map(|field| {
        format!("| `{}` | {} | {} |", field.name, escaped(field.text), escaped(field.accepted))
    });
    std::iter::once(head).chain(rows).collect::<Vec<_>>().join("\n")
}

/// A cell of a table must not end it.
fn escaped(text: &str) -> String {
    text.replace('|', "\\|")
}

/// Holds a committed file to what is generated. Writes it when it differs, so that the next run passes.
fn hold(path: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    if fs::read_to_string(&path).is_ok_and(|committed| committed == text) {
        return;
    }
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    panic!(
        "{} was not what the table of keys makes; it is now, look at it and commit it",
        path.display()
    );
}

#[test]
fn the_committed_file_is_what_the_table_makes() {
    hold("config/sluice.toml", &sluice_toml());
}

#[test]
fn the_committed_documentation_is_what_the_table_makes() {
    hold("docs/operating/configuration.md", &markdown());
}
