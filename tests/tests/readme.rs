//! The README and the guides for authors, run: each fenced block is compiled, checked, sent or executed, and one of an unknown kind fails.
//!
//! Those for operators are in `deploy`. Nothing leaves this machine, and nothing is compiled to WebAssembly but with `SLUICE_TESTS=all`.
#![expect(clippy::panic, reason = "what a document promises and does not keep is a failed test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::{Value, json};
use sluice_tests::{
    Block, Client, FakeProvider, Script, Setup, Terminal, blocks, document, kind, root, target,
};
use tempfile::TempDir;

const README: &str = "README.md";
const PROTOCOL: &str = "docs/protocol.md";
const PROVIDER: &str = "docs/plugins/provider.md";
const POLICY: &str = "docs/plugins/policy.md";
const NOTIFIER: &str = "docs/plugins/notifier.md";
const COOKBOOK: &str = "docs/plugins/cookbook.md";

/// The kinds of block of each document. Every block is of one of them, and each kind is there.
const KINDS: [(&str, &[&str]); 6] = [
    (README, &["rust", "sh", "text", "toml"]),
    (PROTOCOL, &["js", "json client", "json server"]),
    (PROVIDER, &["rust", "rust more", "sh", "toml"]),
    (POLICY, &["json lines", "rust", "sh", "toml case"]),
    (NOTIFIER, &["http exchange", "json lines", "rust", "sh", "toml case"]),
    (COOKBOOK, &["http exchange", "json lines", "json request", "rust", "toml case"]),
];

fn blocks_of(path: &str, kind: &str) -> Vec<Block> {
    let found: Vec<_> = blocks(path).into_iter().filter(|block| block.kind == kind).collect();
    assert!(!found.is_empty(), "{path} has no block of {kind}");
    found
}

/// A program built beside this test, or the one that a variable names.
fn program(variable: &str, name: &str) -> PathBuf {
    let built = || {
        env::current_exe()
            .expect("a test knows its own path")
            .ancestors()
            .nth(2)
            .expect("target/<profile>")
            .join(name)
    };
    let path = env::var_os(variable).map_or_else(built, PathBuf::from);
    assert!(path.is_file(), "{} is missing; build it with: cargo sluice build", path.display());
    path
}

fn text_of(output: &Output) -> String {
    let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&text).into_owned()
}

#[test]
fn every_block_is_of_a_kind_that_is_run() {
    for (path, known) in KINDS {
        let seen: BTreeSet<_> = blocks(path).into_iter().map(|block| block.kind).collect();
        assert_eq!(seen, known.iter().map(|&kind| kind.to_owned()).collect(), "{path}");
    }
}

#[test]
fn the_readme_is_short() {
    let lines = document(README).lines().count();

    assert!(lines <= 150, "{lines} lines");
}

#[test]
fn every_link_leads_somewhere() {
    let mut documents = vec![README.to_owned()];
    for folder in ["docs", "docs/decisions", "docs/plugins", "docs/operating"] {
        let entries = fs::read_dir(root().join(folder)).expect("a folder");
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        documents.extend(names.map(|name| format!("{folder}/{}", name.to_string_lossy())));
    }
    documents.retain(|path| Path::new(path).extension().is_some_and(|end| end == "md"));

    for path in documents {
        let folder = root().join(&path).parent().expect("a folder").to_owned();
        for link in document(&path).split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap_or_default();
            let is_ours = !link.starts_with("http") && !link.contains(char::is_whitespace);
            assert!(!is_ours || folder.join(file).exists(), "{path} links to {link}");
        }
    }
}

/// A crate as the tool makes it.
struct NewCrate {
    /// Below the repository, so that its toolchain file chooses the compiler.
    place: TempDir,
    name: &'static str,
}

impl NewCrate {
    fn make(name: &'static str, kind: &str) -> Self {
        let place = TempDir::new_in(target()).expect("a folder for the test");
        let new = Command::new(program("SLUICE_TOOL", "cargo-sluice"))
            .args(["new", name, "--kind", kind, "--sdk"])
            .arg(root().join("sdk"))
            .current_dir(place.path())
            .output()
            .expect("the tool runs");
        assert!(new.status.success(), "{}", text_of(&new));
        Self { place, name }
    }

    fn file(&self, path: &str) -> PathBuf {
        self.place.path().join(self.name).join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let file = self.file(path);
        fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        fs::write(file, text).expect("a file");
    }

    fn cargo(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO"))
            .args(arguments)
            .args(["--offline", "--quiet"])
            .current_dir(self.file(""))
            .env("CARGO_TARGET_DIR", target().join("readme"))
            .output()
            .expect("cargo runs")
    }
}

#[test]
fn every_plugin_compiles_in_a_new_crate() {
    let acme = NewCrate::make("acme", "provider");

    let whole = [README, PROVIDER].iter().flat_map(|path| blocks_of(path, "rust"));
    // What is said of a plugin that is there already.
    let more = blocks_of(PROVIDER, "rust more").into_iter().map(|mut block| {
        block.text.insert_str(0, &blocks_of(PROVIDER, "rust")[0].text);
        block
    });
    for block in whole.chain(more) {
        acme.write("src/lib.rs", &block.text);
        let check = acme.cargo(&["check", "--lib"]);

        let said = text_of(&check);
        assert!(check.status.success() && said.is_empty(), "{}\n{said}", block.place);
    }
}

/// The lines of a plugin that its author has to write: what is left without comments, blank lines, and names of others.
fn own_lines(rust: &str) -> usize {
    let is_own = |line: &&str| {
        let line = line.trim();
        let is_name = line.starts_with("use ") || line == "};";
        !line.is_empty() && !line.starts_with("//") && !is_name
    };
    rust.lines().filter(is_own).count()
}

#[test]
fn the_plugins_of_the_tutorials_are_short() {
    for (path, most) in [(PROVIDER, 80), (POLICY, 40), (NOTIFIER, 40)] {
        let lines = own_lines(&blocks_of(path, "rust")[0].text);
        assert!(lines <= most, "{path}: {lines} lines");
    }
}

#[test]
fn a_notifier_written_from_its_tutorial_says_what_its_case_expects() {
    let pager = NewCrate::make("pager", "notifier");
    let as_it_is = pager.cargo(&["test"]);
    assert!(as_it_is.status.success(), "as it is made: {}", text_of(&as_it_is));

    fs::remove_dir_all(pager.file("cases")).expect("the cases of the template");
    for (file, kind) in [
        ("src/lib.rs", "rust"),
        ("cases/it/case.toml", "toml case"),
        ("cases/it/exchange-1.http", "http exchange"),
        ("cases/it/expect.jsonl", "json lines"),
    ] {
        let [block] = &blocks_of(NOTIFIER, kind)[..] else { panic!("one block of {kind}") };
        pager.write(file, &block.text);
    }
    let test = pager.cargo(&["test"]);

    let said = text_of(&test);
    assert!(test.status.success() && !said.contains("warning"), "{said}");
}

#[test]
fn a_policy_written_from_its_tutorial_says_what_its_case_expects() {
    let rules = NewCrate::make("house-rules", "policy");
    let as_it_is = rules.cargo(&["test"]);
    assert!(as_it_is.status.success(), "as it is made: {}", text_of(&as_it_is));

    rules.write("src/lib.rs", &blocks_of(POLICY, "rust")[0].text);
    fs::remove_dir_all(rules.file("cases")).expect("the cases of the template");
    let pairs = blocks_of(POLICY, "toml case").into_iter().zip(blocks_of(POLICY, "json lines"));
    for (number, (case, expect)) in pairs.enumerate() {
        rules.write(&format!("cases/{number}/case.toml"), &case.text);
        rules.write(&format!("cases/{number}/expect.jsonl"), &expect.text);
    }
    let test = rules.cargo(&["test"]);

    assert!(test.status.success(), "{}", text_of(&test));
}

/// A recipe's plugin, and the function of the test kit that holds it to its cases.
fn held_by(rust: &str) -> Option<(&str, &'static str)> {
    let by = |macro_name: &str, function| {
        let (_, rest) = rust.split_once(macro_name)?;
        let plugin = rest.split(|c: char| !c.is_alphanumeric()).next()?;
        Some((plugin, function))
    };
    by("sluice_sdk::policy!(", "assert_policy_cases")
        .or_else(|| by("sluice_sdk::provider!(", "assert_cases"))
        .or_else(|| by("sluice_sdk::answer!(", "assert_cases"))
        .or_else(|| by("sluice_sdk::notifier!(", "assert_notifier_cases"))
}

/// All in one crate, a module each: as plugins they would be one each, and take as many times as long.
#[test]
fn every_recipe_of_the_cookbook_does_what_its_case_says() {
    let book = NewCrate::make("cookbook", "provider");
    for folder in ["cases", "src", "tests"] {
        fs::remove_dir_all(book.file(folder)).expect("a folder of the template");
    }
    let (mut modules, mut tests) = (Vec::new(), Vec::new());
    let (mut recipe, mut request, mut exchange) = (0, 0, 0);
    for block in blocks(COOKBOOK) {
        let name = match block.kind.as_str() {
            "rust" => {
                (recipe, request, exchange) = (recipe + 1, 0, 0);
                modules.push(format!("pub mod recipe_{recipe};\n"));
                if let Some((plugin, function)) = held_by(&block.text) {
                    tests.push(format!(
                        "#[test]\nfn recipe_{recipe}() {{\n    sluice_testkit::{function}::<cookbook::recipe_{recipe}::{plugin}>(\"cases/{recipe}\");\n}}\n"
                    ));
                }
                format!("src/recipe_{recipe}.rs")
            }
            "toml case" => format!("cases/{recipe}/it/case.toml"),
            "json lines" => format!("cases/{recipe}/it/expect.jsonl"),
            "json request" => {
                request += 1;
                format!("cases/{recipe}/it/request-{request}.json")
            }
            "http exchange" => {
                exchange += 1;
                format!("cases/{recipe}/it/exchange-{exchange}.http")
            }
            kind => panic!("{}: what is done with {kind}?", block.place),
        };
        book.write(&name, &block.text);
    }
    book.write("src/lib.rs", &modules.concat());
    book.write("tests/cases.rs", &tests.concat());

    let test = book.cargo(&["test"]);

    let said = text_of(&test);
    assert!(test.status.success() && !said.contains("warning"), "{said}");
    let cases = blocks_of(COOKBOOK, "toml case").len();
    assert_eq!(tests.len(), cases, "each case is put to somebody");
    assert!(said.contains(&format!("running {cases} tests")), "{said}");
}

/// A component in place of the one that the reader built.
fn with_a_component(toml: &str) -> String {
    let folder =
        env::var_os("SLUICE_PLUGINS").map_or_else(|| target().join("plugins"), PathBuf::from);
    toml.replace("acme/target/plugins/acme.wasm", &folder.join("echo.wasm").display().to_string())
}

#[tokio::test]
async fn every_configuration_is_in_order() {
    for block in [README, PROVIDER].iter().flat_map(|path| blocks_of(path, "toml")) {
        let setup = Setup::new().config(&with_a_component(&block.text));
        let ended = setup.set("ACME_API_KEY", "sk-of-acme").run(&["check"]).await;

        let said = format!("{}: {}{}", block.place, ended.stdout, ended.stderr);
        assert_eq!(ended.code, Some(0), "{said}");
        assert!(ended.stdout.contains("everything is in order"), "{said}");
        assert_eq!(ended.stderr, "", "{said}");
    }
}

/// A terminal beside the components of the document.
fn terminal(path: &str) -> Terminal {
    let mut terminal = Terminal::open();
    for block in blocks(path).iter().filter(|block| block.kind == "toml") {
        let file = terminal.place().join("acme.toml");
        fs::write(file, with_a_component(&block.text)).expect("a file");
    }
    let compiled = target().join("tests-compiled").display().to_string();
    for (name, value) in [
        ("OPENAI_API_KEY", "sk-of-the-reader"),
        ("SLUICE_SERVER__BIND", "127.0.0.1:0"),
        ("SLUICE_SANDBOX__CACHE_DIRECTORY", &compiled),
    ] {
        terminal.set(name, value);
    }
    terminal
}

/// Lets the tool read the line; what it would do takes minutes, and its own tests see to it.
async fn tool(terminal: &Terminal, line: &str, arguments: &str) {
    let tool = program("SLUICE_TOOL", "cargo-sluice");
    let words = arguments.split_whitespace();
    let mut command = terminal.command(tool.to_str().expect("a path that is text"));
    let output = command.args(words).arg("--help").output().await.expect("the tool runs");
    assert!(output.status.success(), "{line}: {}", text_of(&output));
}

async fn enter(terminal: &mut Terminal, line: &str) {
    if line.starts_with("export ") {
        terminal.run(line).await;
    } else if line.starts_with("sluice serve") {
        terminal.serve(line).await;
    } else if line.starts_with("sluice token") || line.starts_with("sluice check") {
        assert!(!terminal.run(line).await.stdout.is_empty(), "{line} says nothing");
    } else if let Some(arguments) = line.strip_prefix("cargo sluice ") {
        tool(terminal, line, arguments).await;
    } else if let Some(path) = line.strip_prefix("cargo install --path ") {
        assert!(root().join(path).join("Cargo.toml").is_file(), "{line}");
    } else {
        panic!("this test does not know how to run: {line}");
    }
}

#[tokio::test]
async fn every_command_line_works() {
    for path in [README, PROVIDER, POLICY, NOTIFIER] {
        let mut terminal = terminal(path);
        let text: String = blocks_of(path, "sh").into_iter().map(|block| block.text).collect();
        for line in text.lines().filter(|line| !line.is_empty()) {
            enter(&mut terminal, line).await;
        }
    }
}

#[tokio::test]
async fn every_frame_of_a_client_is_understood() {
    let provider = FakeProvider::start().await;
    let gateway = Setup::with(&provider).start().await;

    for block in blocks_of(PROTOCOL, "json client") {
        let mut reader = gateway.connect("reader").await;
        let frame: Value = serde_json::from_str(&block.text).expect(&block.place);
        reader.send(&frame).await;
        let heard = reader.settled().await;

        let misread = |frame: &&Value| {
            let codes = ["INVALID_FORMAT", "MISSING_FIELD", "UNSUPPORTED"];
            codes.iter().any(|code| frame["error"]["code"] == *code)
        };
        assert_eq!(heard.iter().find(misread), None, "{}", block.place);
    }
}

/// Every field of a frame, those of objects within it too.
fn fields(frame: &Value, within: &str, found: &mut BTreeSet<String>) {
    let objects = match frame {
        Value::Array(list) => return list.iter().for_each(|one| fields(one, within, found)),
        Value::Object(fields) => fields,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return,
    };
    for (name, value) in objects {
        found.insert(format!("{within}{name}"));
        fields(value, &format!("{within}{name}."), found);
    }
}

type FieldsByType = BTreeMap<String, BTreeSet<String>>;

fn fields_by_type(frames: &[Value]) -> FieldsByType {
    let mut by_type = FieldsByType::new();
    for frame in frames {
        fields(frame, "", by_type.entry(kind(frame).to_owned()).or_default());
    }
    by_type
}

/// One frame of each type that the document shows.
async fn real_frames(alice: &mut Client, again: &mut Client) -> Vec<Value> {
    let mut frames = vec![alice.greeting.clone()];
    alice.say("Hello?").await;
    frames.extend(alice.frames_until("the end", |frame| frame["finish_reason"].is_string()).await);
    let wrong = json!({ "type": "user_message", "content": "Hello?", "client_message_id": "c2",
        "model_id": "nobody", "session_id": alice.session() });
    alice.send(&wrong).await;
    frames.push(alice.next_of("error").await);
    // Whoever comes later gets the pieces merged.
    let resume = json!({ "type": "resume", "session_id": alice.session(), "epoch": 1, "seq": 2 });
    again.send(&resume).await;
    frames.push(again.next_of("ai_response").await);
    frames
}

#[tokio::test]
async fn every_frame_of_the_gateway_has_exactly_these_fields() {
    let provider = FakeProvider::playing(Script::saying(&["Hello ", "there."])).await;
    let gateway = Setup::with(&provider).start().await;
    let mut alice = gateway.connect("alice").await;
    let mut again = gateway.connect("alice").await;

    let real = real_frames(&mut alice, &mut again).await;

    let read = |block: Block| serde_json::from_str::<Value>(&block.text).expect(&block.place);
    let told: Vec<_> = blocks_of(PROTOCOL, "json server").into_iter().map(read).collect();
    assert_eq!(fields_by_type(&told), fields_by_type(&real));
}

#[test]
fn every_error_and_close_code_has_its_row() {
    let (protocol, errors) = (document(PROTOCOL), document("host/wire/src/error.rs"));
    let rows: Vec<_> = protocol.lines().filter_map(|line| line.strip_prefix("| `")).collect();

    let is_code =
        |word: &&str| word.len() > 3 && word.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    let codes: BTreeSet<_> = errors.split('"').filter(is_code).collect();
    assert!(codes.len() > 20, "{codes:?}");
    for code in codes {
        let row = rows.iter().find(|row| row.starts_with(&format!("{code}`")));
        let row = row.unwrap_or_else(|| panic!("{PROTOCOL} has no row for {code}"));
        let cells: Vec<_> = row.trim_end_matches(" |").split(" | ").collect();
        assert!(errors.contains(&format!("\"{}\"", cells[1])), "{code} says something else");
    }
    let closes = document("host/wire/src/close.rs");
    let numbers = closes.lines().filter_map(|line| line.split_once(" = ")?.1.strip_suffix(','));
    for number in numbers.filter(|number| *number != "1000") {
        assert!(protocol.contains(number), "{PROTOCOL} does not tell what {number} means");
    }
}

/// The complete client, where it will run: in a browser. `cargo sluice test` brings one.
mod needs_chromium {
    use sluice_tests::{Browser, Page, Proxy, not_run};

    use super::*;

    /// Lets the document's client ask; an attribute of the page has what it shows.
    async fn ask(page: &mut Page, token: &str) {
        let client = blocks_of(PROTOCOL, "js").remove(0).text;
        let asking = format!(
            "{client}; document.body.dataset.said = ''; window.asking = ask({{
               base: location.origin + '/chatbox', token: {token:?}, content: 'Tell me a story',
               show: (text) => {{ document.body.dataset.said += text; }} }}); true"
        );
        page.evaluate(&asking).await;
    }

    const SAID: &str = "document.body.dataset.said";

    async fn shows(page: &mut Page, said: &str) {
        page.until(&format!("{SAID} === {said:?}")).await;
    }

    #[tokio::test]
    async fn the_complete_client_survives_a_cut_and_a_crash_in_mid_answer() {
        let browser = match Browser::start().await {
            Ok(browser) => browser,
            Err(why) => return not_run("the client of docs/protocol.md", &why),
        };
        let pieces = ["Ünce ", "upon ", "a ", "time."];
        let provider = FakeProvider::playing(Script::halting(&pieces)).await;
        provider.then(Script::halting(&pieces));
        let mut gateway = Setup::with(&provider).start().await;
        let wire = Proxy::to(gateway.address()).await;
        let mut page = browser.open(&format!("http://{}/chatbox/", wire.address())).await;

        ask(&mut page, &gateway.token("alice")).await;
        provider.release(2);
        shows(&mut page, "Ünce upon ").await;
        wire.cut();
        provider.release(2);

        assert_eq!(page.evaluate("window.asking").await, "stop");
        assert_eq!(page.evaluate(SAID).await, "Ünce upon a time.");

        ask(&mut page, &gateway.token("alice")).await;
        provider.release(2);
        shows(&mut page, "Ünce upon ").await;
        gateway.kill().await;
        gateway.start_again_there().await;

        assert_eq!(page.evaluate("window.asking").await, "interrupted");
        // What was shown after the last checkpoint is no longer in the history, and yet not taken back.
        assert_eq!(page.evaluate(SAID).await, "Ünce upon ");
    }
}

/// What builds in this checkout, and so runs beside no other test.
mod alone {
    use std::process::Stdio;

    use sluice_tests::{Call, Signal};
    use tokio::{
        io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
        process::{Child, ChildStdout, Command},
        time::timeout,
    };

    use super::*;

    /// Beginnings of what a test has and its reader has not. All else is as it was when this was built, so that nothing is built anew.
    const NOT_THEIRS: [&str; 10] = [
        "CARGO_BIN_",
        "CARGO_CRATE_NAME",
        "CARGO_MANIFEST_",
        "CARGO_PKG_",
        "CARGO_PRIMARY_PACKAGE",
        "LD_LIBRARY_PATH",
        "LLM_",
        "NEXTEST",
        "OPENAI_API_KEY",
        "SLUICE_",
    ];
    /// It may build the gateway once more: tests are built with other features.
    const MOST: std::time::Duration = std::time::Duration::from_mins(20);

    fn tool(arguments: &[&str]) -> Command {
        let mut command = Command::new(program("SLUICE_TOOL", "cargo-sluice"));
        for (name, _) in env::vars_os() {
            if NOT_THEIRS.iter().any(|theirs| name.to_string_lossy().starts_with(theirs)) {
                command.env_remove(name);
            }
        }
        command.args(arguments).current_dir(root()).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Starts the gateway of this checkout; returns what it says up to how to stop it.
    async fn up() -> (Child, Lines<BufReader<ChildStdout>>, String) {
        let mut child = tool(&["up", "--port", "0"]).spawn().expect("the tool starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut said = String::new();
        while !said.contains("Ctrl-C stops it.") {
            let Some(line) = lines.next_line().await.expect("text") else {
                let output = child.wait_with_output().await.expect("it ended");
                panic!("it did not start: {said}{}", text_of(&output));
            };
            said.push_str(&line);
            said.push('\n');
        }
        (child, lines, said)
    }

    #[tokio::test]
    async fn the_first_command_leads_to_a_page_and_an_answer() {
        if env::var_os("SLUICE_TESTS").is_none_or(|value| value != "all") {
            return;
        }
        let first = blocks_of(README, "sh").swap_remove(0);
        assert!(first.text.starts_with("cargo sluice up\n"), "{}", first.text);

        let (mut up, _lines, said) = timeout(MOST, up()).await.expect("it starts");

        let link = said.lines().find_map(|line| line.strip_prefix("Chat")).expect("a link").trim();
        let (page, token) = link.split_once("#token=").expect("a token");
        let address = page.trim_start_matches("http://");
        let (address, path) = address.split_once('/').expect("a path");
        let page = Call::new(address, "GET", &format!("/{path}")).send().await;
        assert_eq!(page.status, 200, "{}", page.body);
        let models = Call::new(address, "GET", "/v1/models").bearer(token).send().await;
        assert!(models.body.contains("\"echo\""), "{}", models.body);

        let mut chat = tool(&["chat", "--model", "echo"]).spawn().expect("the tool starts");
        let mut line = chat.stdin.take().expect("piped");
        line.write_all(b"Is anybody there?\n").await.expect("it reads");
        drop(line);
        let chat = timeout(MOST, chat.wait_with_output()).await.expect("it ends").expect("it ran");
        assert!(chat.status.success(), "{}", text_of(&chat));
        assert!(text_of(&chat).contains("Is anybody there?"), "{}", text_of(&chat));

        let id = up.id().expect("it runs").cast_signed();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(id), Signal::SIGINT).expect("signalled");
        let ended = timeout(MOST, up.wait()).await.expect("it ends").expect("waited for");
        assert!(ended.success(), "{ended}");
    }
}
