//! The house rules that a compiler does not hold: who may know whom, and what no file may say.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};

use serde_json::Value;
use sluice_tests::root;

/// Who knows whom in this workspace, development dependencies included.
struct Edges(BTreeMap<String, Crate>);

struct Crate {
    /// Folder below the repository.
    folder: String,
    /// Crates of the workspace it depends on.
    ours: BTreeSet<String>,
    /// Of those, the ones beside its tests only are left out here.
    linked: BTreeSet<String>,
    /// Every dependency, whosever.
    all: BTreeSet<String>,
}

fn edges() -> Edges {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let members: BTreeSet<_> = packages.iter().map(|package| word(&package["name"])).collect();
    let mut crates = BTreeMap::new();
    for package in packages {
        let manifest = word(&package["manifest_path"]);
        let folder = Path::new(&manifest).parent().expect("a folder");
        let folder = folder.strip_prefix(root()).expect("in the repository").display().to_string();
        let dependencies = package["dependencies"].as_array().expect("dependencies");
        let names = |keep: &dyn Fn(&Value) -> bool| -> BTreeSet<String> {
            dependencies.iter().filter(|d| keep(d)).map(|d| word(&d["name"])).collect()
        };
        let one = Crate {
            folder,
            all: names(&|_| true),
            ours: names(&|d| members.contains(&word(&d["name"]))),
            linked: names(&|d| d["kind"] != "dev" && members.contains(&word(&d["name"]))),
        };
        crates.insert(word(&package["name"]), one);
    }
    Edges(crates)
}

impl Edges {
    fn of(&self, name: &str) -> &Crate {
        self.0.get(name).unwrap_or_else(|| unreachable!("{name} is a crate of this workspace"))
    }

    fn below(&self, folder: &str) -> impl Iterator<Item = (&String, &Crate)> {
        self.0.iter().filter(move |(_, one)| Path::new(&one.folder).starts_with(folder))
    }
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn imports_run_down_only() {
    let edges = edges();
    let allowed: &[(&str, &[&str])] = &[
        ("sluice-chat", &[]),
        ("sluice-framing", &[]),
        ("sluice-wire", &["sluice-chat"]),
        ("sluice-sandbox", &["sluice-chat"]),
        ("sluice-archive", &["sluice-chat"]),
        ("sluice-upstream", &["sluice-chat", "sluice-framing"]),
        ("sluice-mail", &[]),
        (
            "sluice-gateway",
            &[
                "sluice-archive",
                "sluice-chat",
                "sluice-framing",
                "sluice-mail",
                "sluice-sandbox",
                // Its data half, for `sluice plugin test`: docs/decisions/0008.
                "sluice-testkit",
                "sluice-upstream",
                "sluice-wire",
            ],
        ),
        ("sluice-sdk", &[]),
        ("sluice-testkit", &["sluice-framing", "sluice-sdk"]),
        ("cargo-sluice", &[]),
        ("sluice-tests", &[]),
    ];

    for (name, may) in allowed {
        let too_many: Vec<_> = edges.of(name).linked.difference(&set(may)).cloned().collect();
        assert_eq!(too_many, [] as [String; 0], "{name} may not depend on these");
    }
    let placed: BTreeSet<_> = allowed.iter().map(|(name, _)| (*name).to_owned()).collect();
    let unplaced: Vec<_> = ["host", "sdk"]
        .iter()
        .flat_map(|folder| edges.below(folder))
        .filter(|(name, _)| !placed.contains(*name))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(unplaced, [] as [&String; 0], "a new crate gets its place in this test");
}

#[test]
fn a_dependency_that_must_not_leak_is_named_once() {
    let edges = edges();

    for (dependency, home) in [
        ("axum", "sluice-gateway"),
        ("wasmtime", "sluice-sandbox"),
        ("reqwest", "sluice-upstream"),
        ("rusqlite", "sluice-archive"),
        ("mongodb", "sluice-archive"),
        ("prometheus-client", "sluice-gateway"),
        ("lettre", "sluice-mail"),
    ] {
        let named: Vec<_> = edges
            .0
            .iter()
            // The bench's pass-through stands on the same stack as the gateway, or it would be no floor.
            .filter(|(name, _)| !(*name == "sluice-bench" && dependency == "reqwest"))
            // The tests make databases in the predecessor's shape, and compare them afterwards.
            .filter(|(name, _)| !(*name == "sluice-tests" && dependency == "mongodb"))
            .filter(|(name, one)| *name != home && one.all.contains(dependency))
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(named, [] as [&str; 0], "{dependency} belongs to {home}");
    }
}

#[test]
fn the_tests_know_no_crate_of_the_host_not_even_beside_their_own_tests() {
    assert_eq!(edges().of("sluice-tests").ours, set(&[]));
}

#[test]
fn the_bench_knows_no_crate_of_the_host() {
    let may = set(&["sluice-openai", "sluice-sdk", "sluice-tests"]);
    assert_eq!(edges().of("sluice-bench").ours, may);
}

#[test]
fn a_plugin_knows_the_sdk_and_its_tests_the_testkit() {
    let edges = edges();

    for (name, one) in edges.below("plugins") {
        assert!(one.linked.is_subset(&set(&["sluice-sdk"])), "{name}: {:?}", one.linked);
        let tested = one.ours.is_subset(&set(&["sluice-sdk", "sluice-testkit"]));
        assert!(tested, "{name}: {:?}", one.ours);
    }
}

#[test]
fn a_guest_knows_nothing_but_the_contract_and_the_sdk() {
    for (name, one) in edges().below("tests/guests") {
        assert!(one.ours.is_subset(&set(&["sluice-sdk"])), "{name}: {:?}", one.ours);
    }
}

/// Every file under version control that is text.
fn files() -> Vec<(String, String)> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git runs");
    let listed = String::from_utf8(output.stdout).expect("paths are UTF-8");
    listed
        .split('\0')
        .filter(|path| !path.is_empty())
        .filter_map(|path| Some((path.to_owned(), fs::read_to_string(root().join(path)).ok()?)))
        .collect()
}

fn is_rust(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "rs")
}

#[test]
fn no_file_knows_the_machine_it_was_written_on() {
    // In pieces, so that this file may hold them.
    let home = std::env::var("HOME").unwrap_or_default();
    let here = root().display().to_string();
    let mut words = vec![["/wo", "rk/"].concat(), ["/ro", "ot/"].concat(), here];
    if home.len() > 1 {
        words.push(format!("{home}/"));
    }

    for (path, text) in files() {
        for word in &words {
            let line = text.lines().position(|line| line.contains(word.as_str()));
            assert_eq!(line, None, "{path} names a path of one machine: {word}");
        }
    }
}

#[test]
fn no_module_is_named_for_a_role() {
    let words =
        ["manager", "handler", "helper", "helpers", "util", "utils", "common", "misc", "mod"];

    for (path, _) in files() {
        let stem = Path::new(&path).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        assert!(!is_rust(&path) || !words.contains(&stem), "{path}: which noun does it hide?");
    }
}

#[test]
fn each_module_says_what_it_is_for() {
    for (path, text) in files() {
        let exempt = !is_rust(&path) || path.ends_with("/tests.rs");
        assert!(exempt || text.starts_with("//!"), "{path} begins without //!");
    }
}

#[test]
fn every_decision_has_its_number_and_its_line() {
    let folder = "docs/decisions/";
    let files = files();
    let pages = files.iter().filter_map(|(path, text)| {
        let name = path.strip_prefix(folder).filter(|name| *name != "README.md")?;
        Some((name, text))
    });
    let pages: BTreeMap<_, _> = pages.collect();
    let index = fs::read_to_string(root().join(folder).join("README.md")).expect("the index");

    let listed = index.lines().filter(|line| line.starts_with("- ")).count();
    assert_eq!(listed, pages.len());
    for (number, (name, text)) in (1..).zip(pages) {
        assert!(name.starts_with(&format!("{number:04}-")), "{name} is not number {number}");
        let title =
            text.lines().next().and_then(|line| line.strip_prefix(&format!("# {number}. ")));
        let title = title.unwrap_or_else(|| unreachable!("{name} has a title with its number"));
        let line = format!("- [{number}]({name}): {title}");
        assert!(index.lines().any(|there| there.starts_with(&line)), "the index lacks: {line}");
    }
}

#[test]
fn the_changelog_begins_with_the_version_that_is_built() {
    let changes = fs::read_to_string(root().join("CHANGELOG.md")).expect("a changelog");
    let newest = changes.lines().find_map(|line| line.strip_prefix("## ")).unwrap_or_default();
    let version = env!("CARGO_PKG_VERSION");

    assert!(newest.starts_with(&format!("{version},")), "{newest} is not {version}");
}

#[test]
fn the_chat_page_stays_small() {
    let lines: usize = files()
        .iter()
        .filter(|(path, _)| path.starts_with("host/gateway/page/"))
        .map(|(_, text)| text.lines().count())
        .sum();

    assert!((1..=300).contains(&lines), "{lines} lines");
}

/// Lines of a plugin's own code: neither blank nor a comment, without tests.
fn own_lines(plugin: &str) -> usize {
    let sources = format!("plugins/{plugin}/src/");
    let files = files();
    let own = files.iter().filter(|(path, _)| {
        path.starts_with(&sources) && is_rust(path) && !path.ends_with("/tests.rs")
    });
    own.map(|(_, text)| lines_of_code(text)).sum()
}

/// Tests stand at the bottom of a file.
fn lines_of_code(text: &str) -> usize {
    let lines = text.lines().map(str::trim).take_while(|line| *line != "#[cfg(test)]");
    lines.filter(|line| !line.is_empty() && !line.starts_with("//")).count()
}

#[test]
fn a_plugin_says_only_what_its_vendor_has_alone() {
    let text = "//! Head.\n\nfn one() {\n    // Why.\n}\n\n#[cfg(test)]\nmod tests {\n}\n";
    assert_eq!(lines_of_code(text), 2, "comments, blank lines and tests do not count");

    for (plugin, most) in [("openai", 400), ("anthropic", 350), ("dify", 350), ("ollama", 350)] {
        let lines = own_lines(plugin);
        assert!(
            (1..=most).contains(&lines),
            "plugins/{plugin} has {lines} lines of its own code, {most} at most: what another vendor does too belongs to sdk/rust"
        );
    }
}

/// Numbers of the attacks that a page of docs lists, and the tests that it names for each.
fn attacks() -> Vec<(u32, Vec<String>)> {
    let page = fs::read_to_string(root().join("docs/plugins/attacks.md")).expect("the list");
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        let number = cells.next()?.trim().parse().ok()?;
        let words = cells.nth(1)?.split('`').skip(1).step_by(2).map(str::to_owned);
        Some((number, words.collect()))
    };
    page.lines().filter_map(row).collect()
}

#[test]
fn each_attack_on_the_list_has_tests_that_are_there() {
    let sources: String =
        files().into_iter().filter(|(path, _)| is_rust(path)).map(|(_, text)| text).collect();
    let attacks = attacks();

    let numbers: Vec<u32> = attacks.iter().map(|(number, _)| *number).collect();
    let wanted: Vec<u32> = (29..=38).chain([44, 47, 48, 49, 50, 52, 53, 54, 55]).collect();
    assert_eq!(numbers, wanted);
    for (number, tests) in attacks {
        assert!(!tests.is_empty(), "no test of attack {number}");
        for test in tests {
            assert!(sources.contains(&format!("fn {test}(")), "{number}: there is no {test}");
        }
    }
}

/// The vendors of the table in `docs/plugins/vendors.md`, in the order of its columns.
const VENDORS: [&str; 4] = ["openai", "anthropic", "dify", "ollama"];

/// The cells of each row of that table, without the row's name.
fn recorded() -> Vec<Vec<String>> {
    let page = fs::read_to_string(root().join("docs/plugins/vendors.md")).expect("the table");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    rows.map(|row| row.split(" | ").skip(1).map(str::to_owned).collect()).skip(1).collect()
}

#[test]
fn every_case_of_a_vendor_has_its_place_in_the_table_and_no_cell_is_empty() {
    let rows = recorded();
    assert!(rows.len() > 20, "{rows:?}");
    for row in &rows {
        assert_eq!(row.len(), VENDORS.len(), "{row:?}");
        assert!(row.iter().all(|cell| !cell.trim().is_empty()), "{row:?}");
    }
    for (column, vendor) in VENDORS.iter().enumerate() {
        let folder = root().join(format!("plugins/{vendor}/cases"));
        let there: BTreeSet<String> = fs::read_dir(folder)
            .expect("a folder of cases")
            .map(|entry| entry.expect("an entry"))
            .filter(|entry| entry.path().is_dir())
            .map(|entry| entry.file_name().into_string().expect("a name"))
            .collect();
        let named: BTreeSet<String> = rows
            .iter()
            .flat_map(|row| row[column].split('`').skip(1).step_by(2).map(str::to_owned))
            .collect();
        assert_eq!(named, there, "cases of {vendor}");
    }
}

/// Methods and paths of a source's routes: `.route("/sessions/{id}", get(show).delete(delete))`.
fn routes_in(source: &str) -> Vec<String> {
    let mut routes = Vec::new();
    for rest in source.split(".route(\"").skip(1) {
        let (path, rest) = rest.split_once('"').expect("a path ends");
        let handlers = rest.split_once('\n').map_or(rest, |(line, _)| line);
        let path = path.replace("{*", "{");
        for method in ["get", "post", "patch", "delete"] {
            if handlers.contains(&format!("{method}(")) {
                routes.push(format!("{method} {path}"));
            }
        }
    }
    routes
}

#[test]
fn every_route_is_in_the_document_of_the_interface_and_nothing_else() {
    let folder = "host/gateway/src/routes/";
    let mut routed = BTreeSet::from(["get /openapi.json".to_owned()]);
    for (path, text) in files().iter().filter(|(path, _)| path.starts_with(folder)) {
        // Pages are for people.
        if is_rust(path) && !path.ends_with("/page.rs") {
            let below = if path.ends_with("/openai.rs") { "/v1" } else { "" };
            let place = |route: String| route.replacen(' ', &format!(" {below}"), 1);
            routed.extend(routes_in(text).into_iter().map(place));
        }
    }

    let text = fs::read_to_string(root().join(folder).join("openapi.json")).expect("a document");
    let document: Value = serde_json::from_str(&text).expect("JSON");
    let paths = document["paths"].as_object().expect("paths");
    let told: BTreeSet<String> = paths
        .iter()
        .flat_map(|(path, operations)| {
            let methods = operations.as_object().expect("operations").keys();
            let methods = methods.filter(|key| *key != "parameters");
            methods.map(move |method| format!("{method} {path}"))
        })
        .collect();

    assert!(routed.len() > 20, "{routed:?}");
    assert_eq!(told, routed);
}
