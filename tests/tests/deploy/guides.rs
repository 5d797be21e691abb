//! `docs/operating`: every block is run, in the order of its document, or checked as far as that goes without what it needs.
//!
//! What stands behind the fence says which:
//! - `sh`: run, on a machine where no gateway is;
//! - `sh running`, `sh stopped`: run, beside a gateway that runs, or does not;
//! - `sh root`, `sh container`, `sh cluster`, `sh mongodb`: not run, and the block's first line tells the reader so; read by a shell
//!   and by a linter, and every file of ours that it names is there;
//! - `toml`: a configuration that `sluice check` finds in order;
//! - `yaml`: parsed.
//!
//! Any other kind is a failure.

use std::{
    collections::BTreeMap,
    fs,
    process::{Command, Stdio},
};

use sluice_tests::{Block, FakeProvider, Gateway, Script, Setup, Terminal, blocks, root};

use crate::files;

/// Kinds that are not run, with the line by which such a block begins.
const NOT_RUN: [(&str, &str); 4] = [
    ("sh root", "# As root. Not run by a test."),
    ("sh container", "# With a container engine. Not run by a test."),
    ("sh cluster", "# In a cluster. Not run by a test."),
    ("sh mongodb", "# With the tools of MongoDB. Not run by a test."),
];
const RUN: [&str; 5] = ["sh", "sh running", "sh stopped", "toml", "yaml"];

/// A secret no rule complains about.
const SECRET: &str = "9fQ2mT7xLr4Kz8Wb1Nc6Vd3Hs5Jg0PyB";

/// Every guide for operators.
fn guides() -> Vec<String> {
    let entries = fs::read_dir(root().join("docs/operating")).expect("a folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let mut paths: Vec<_> =
        names.map(|name| format!("docs/operating/{}", name.to_string_lossy())).collect();
    paths.sort();
    assert!(paths.len() > 10, "{paths:?}");
    paths
}

/// The blocks of every guide that `wanted` takes.
fn all(wanted: impl Fn(&str) -> bool) -> Vec<Block> {
    let found: Vec<_> = guides().iter().flat_map(|path| blocks(path)).collect();
    let found: Vec<_> = found.into_iter().filter(|block| wanted(&block.kind)).collect();
    assert!(!found.is_empty(), "no guide has such a block");
    found
}

/// The shell that a reader has: what is not run by itself is at least a script.
fn is_shell(kind: &str) -> bool {
    kind.split(' ').next() == Some("sh")
}

#[test]
fn every_block_is_run_or_says_that_it_is_not() {
    for Block { place, kind, text } in guides().iter().flat_map(|path| blocks(path)) {
        match NOT_RUN.iter().find(|(marked, _)| *marked == kind) {
            Some((_, says)) => assert_eq!(text.lines().next(), Some(*says), "{place}"),
            None => assert!(RUN.contains(&kind.as_str()), "{place}: nothing runs `{kind}`"),
        }
    }
}

#[test]
fn every_script_is_one_and_names_files_that_are_there() {
    for Block { place, text, .. } in all(is_shell) {
        let mut shell = Command::new("sh");
        files::succeeds(&place, shell.args(["-nc", &text]).stdin(Stdio::null()));
        for word in text.split([' ', '\n', '=']) {
            let is_ours = ["config/", "docs/", "tests/"].iter().any(|top| word.starts_with(top));
            assert!(!is_ours || root().join(word).exists(), "{place}: there is no {word}");
        }
    }
}

#[tokio::test]
async fn every_configuration_is_in_order() {
    for Block { place, text, .. } in all(|kind| kind == "toml") {
        let folder = tempfile::tempdir().expect("a folder");
        let here = folder.path().display().to_string();
        for name in
            text.split("file:/etc/sluice/").skip(1).filter_map(|rest| rest.split('"').next())
        {
            fs::write(folder.path().join(name), SECRET).expect("the folder is ours");
        }
        let mut setup = Setup::new().config(&text.replace("/etc/sluice", &here));
        if text.contains("jwt_secret") {
            setup = setup.unset("JWT_SECRET");
        }
        for variable in text.split("\"env:").skip(1).filter_map(|rest| rest.split('"').next()) {
            setup = setup.set(variable, "key-of-the-test");
        }
        for (name, value) in [("ID", "echo"), ("TYPE", "echo")] {
            setup = setup.set(&format!("LLM_PROVIDER_1_{name}"), value);
        }
        let checked = setup.run(&["check"]).await;
        assert_eq!((checked.code, checked.stderr.as_str()), (Some(0), ""), "{place}");
    }
}

/// A machine with a gateway, whose configuration is in the environment.
struct Machine {
    /// Held so that it answers.
    _provider: FakeProvider,
    gateway: Gateway,
    terminal: Terminal,
}

impl Machine {
    async fn new(variables: &BTreeMap<String, String>) -> Self {
        let provider = FakeProvider::start().await;
        provider.always(Script::saying(&["Well."]));
        // A guide goes by one engine, whichever is under test.
        let mut setup = Setup::with(&provider)
            .set("SLUICE_STORAGE__ENGINE", "sqlite")
            .set("SLUICE_STORAGE__SQLITE__PATH", "data/sluice.db")
            .set("ENCRYPTION_KEY", &format!("hex:{}", "0123456789abcdef".repeat(4)));
        for (name, value) in variables {
            setup = setup.set(name, value);
        }
        let gateway = setup.start().await;
        let mut terminal = Terminal::at(gateway.home());
        for (name, value) in gateway.setup().environment() {
            terminal.set(name, value);
        }
        terminal.set("URL", &format!("http://{}/chatbox", gateway.address()));
        Self { _provider: provider, gateway, terminal }
    }

    /// Sees to it that the gateway runs, or does not, and follows the block.
    async fn follow(&mut self, block: &Block) {
        match (block.kind.as_str(), self.gateway.is_running()) {
            ("sh running", false) => self.gateway.start_again_there().await,
            ("sh stopped", true) => {
                let code = self.gateway.stop().await.code();
                assert_eq!(code, Some(0), "{}", block.place);
            }
            _ => {}
        }
        self.terminal.run(&block.text).await;
    }
}

/// Follows a block where no gateway is. One that it starts is stopped when it is ready.
async fn alone(terminal: &mut Terminal, block: &Block) {
    let is_serving = |line: &&str| line.starts_with("sluice serve");
    let scripts: Vec<_> = block.text.lines().filter(|line| !is_serving(line)).collect();
    terminal.run(&scripts.join("\n")).await;
    for line in block.text.lines().filter(is_serving) {
        assert_eq!(block.text.lines().last(), Some(line), "{}: it does not return", block.place);
        terminal.serve(line).await;
    }
}

/// Follows a guide from top to bottom. Says how many blocks were run.
async fn follow(path: &str, variables: &BTreeMap<String, String>) -> usize {
    let mut machine = None;
    let mut bare = Terminal::open();
    bare.set("SLUICE_SERVER__BIND", "127.0.0.1:0");
    let compiled = sluice_tests::target().join("tests-compiled").display().to_string();
    bare.set("SLUICE_SANDBOX__CACHE_DIRECTORY", &compiled);
    let mut run = 0;
    for block in blocks(path) {
        match block.kind.as_str() {
            "sh" => alone(&mut bare, &block).await,
            "sh running" | "sh stopped" => {
                let machine = match &mut machine {
                    Some(machine) => machine,
                    none => none.insert(Machine::new(variables).await),
                };
                machine.follow(&block).await;
            }
            _ => continue,
        }
        run += 1;
    }
    run
}

#[tokio::test]
async fn every_guide_can_be_followed_from_top_to_bottom() {
    let mut run = 0;
    for path in guides().iter().filter(|path| *path != needs_mongod::MIGRATION) {
        run += follow(path, &BTreeMap::new()).await;
    }
    assert!(run >= 8, "{run}");
}

/// The guide that begins with the database of the earlier gateway.
mod needs_mongod {
    use mongodb::{
        Client as Driver,
        bson::{DateTime, doc},
    };
    use sluice_tests::{Mongod, not_run};

    use super::*;

    pub(super) const MIGRATION: &str = "docs/operating/migration.md";

    #[tokio::test]
    async fn the_migration_can_be_followed_from_top_to_bottom() {
        let server = match Mongod::is_fetched() {
            Ok(()) => Mongod::start().await,
            Err(why) => return not_run("the commands of docs/operating/migration.md", &why),
        };
        let driver = Driver::with_uri_str(server.address()).await.expect("an address");
        let began = DateTime::from_millis(1_700_000_000_000);
        let said = doc! { "content": "Do zebras sleep?", "ts": began, "sender": "user" };
        let conversation = doc! {
            "_id": "one", "uid": "ada", "nm": "Zebras", "modelId": "fake", "msgs": [said],
            "ts": began, "_ts": began, "_mt": began,
        };
        let rows = driver.database("chat").collection("sessions");
        rows.insert_one(conversation).await.expect("stored");

        let variables = [
            ("SLUICE_STORAGE__ENGINE".to_owned(), String::new()),
            ("MONGO_URI".to_owned(), server.address()),
            ("MONGO_DATABASE".to_owned(), "chat".to_owned()),
        ];
        let run = follow(MIGRATION, &variables.into()).await;

        assert!(run >= 4, "{run}");
        let taken =
            driver.database("chat").collection::<mongodb::bson::Document>("sluice_sessions");
        let one = taken.find_one(doc! { "_id": "one" }).await.expect("found");
        assert!(one.is_some(), "what the guide imports is there");
    }
}

/// What a linter and a parser say.
mod needs_validators {
    use sluice_tests::not_run;

    use super::*;

    /// What is no fault in a line for a terminal: a variable that is set and exported at once (2155), and a file that is on the
    /// reader's machine (1091).
    const NO_FAULT: &str = "SC2155,SC1091";

    #[test]
    fn no_script_has_what_a_linter_complains_of() {
        let validators = match files::validators() {
            Ok(validators) => validators,
            Err(why) => return not_run("the linter of the guides' commands", &why),
        };
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("block.sh");
        for Block { place, text, .. } in all(is_shell) {
            fs::write(&file, format!("#!/bin/sh\n{text}")).expect("the folder is ours");
            let mut lint = Command::new(validators.join("bin/shellcheck"));
            files::succeeds(&place, lint.args(["--exclude", NO_FAULT]).arg(&file));
        }
    }

    #[test]
    fn every_yaml_block_can_be_parsed() {
        let validators = match files::validators() {
            Ok(validators) => validators,
            Err(why) => return not_run("the parser of the guides' YAML", &why),
        };
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("block.yaml");
        for Block { place, text, .. } in all(|kind| kind == "yaml") {
            fs::write(&file, text).expect("the folder is ours");
            let mut read = files::python(&validators);
            read.arg(root().join("tests/tools/as_json.py")).arg(&file);
            files::succeeds(&place, &mut read);
        }
    }
}
