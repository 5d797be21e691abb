//! What watches the gateway names what the gateway has: alert rules, the dashboard and the table in `docs/operating/metrics.md`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use serde_json::{Value, json};
use sluice_tests::{FakeProvider, Gateway, MailSink, Script, Setup, root};

use crate::{
    files,
    promql::{self, Names},
};

/// Added by Prometheus to whatever it reads.
const TARGET: [&str; 2] = ["job", "instance"];
/// A metric of Prometheus' own.
const UP: &str = "up";
const FUNCTIONS: [&str; 6] =
    ["rate", "increase", "sum", "absent", "histogram_quantile", "label_values"];

/// Every series that the gateway shows: name, labels, and the values that each label has.
type Series = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// A gateway to which everything happened that is counted.
async fn eventful() -> (Gateway, [FakeProvider; 2], MailSink) {
    let sink = MailSink::start().await;
    let (one, two) = (FakeProvider::start().await, FakeProvider::start().await);
    one.always(Script::refusing(503, "text/html", "<h1>Down</h1>"));
    two.always(Script::saying(&["I am ", "two."]));
    let spent =
        r#"{"error": {"code": "insufficient_quota", "message": "You exceeded your quota"}}"#;
    two.then(Script::refusing(429, "application/json", spent));
    // What it cost the provider does not say then, and the gateway guesses.
    two.then(Script::cut(&["I am "]));
    let (first, second) = (one.endpoint(), two.endpoint());
    let config = format!(
        r#"
[plugins.one]
source = "bundled:openai"
endpoints.api = "{first}"
secrets.api_key = "env:KEY"

[plugins.two]
source = "bundled:openai"
endpoints.api = "{second}"
secrets.api_key = ["env:KEY", "env:OTHER_KEY"]

[[models]]
id = "first"
plugin = "one"
fallback = ["second"]

[[models]]
id = "second"
plugin = "two"
price = {{ input = 1_000_000, output = 1_000_000 }}

[policies]
chain = ["access"]

[plugins.access]
source = "bundled:access"

[plugins.access.settings]
otherwise = "allow"
"#
    );
    let setup = Setup::new()
        .config(&config)
        .set("KEY", "key-of-the-test")
        .set("OTHER_KEY", "another-key")
        .watched();
    let setup = setup
        .set("SMTP_HOST", "127.0.0.1")
        .set("SMTP_PORT", &sink.port().to_string())
        .set("EMAIL_FROM", "Sluice <sluice@example.com>")
        .set("ADMIN_EMAILS", "ops@example.com");
    let gateway = setup.start().await;
    let mut alice = gateway.connect("alice").await;
    alice.ask("Who?").await;
    alice.ask("Who again?").await;
    alice.send(&json!({ "type": "help_request", "session_id": alice.session() })).await;
    sink.got(1).await;
    gateway.metric_becomes("sluice_notices_waiting", 0.0).await;
    alice.send(&json!({ "type": "nonsense" })).await;
    alice.next_of("error").await;
    alice.leave().await;
    gateway.metric_becomes("sluice_connections", 0.0).await;
    (gateway, [one, two], sink)
}

/// Reads the text format.
fn series(text: &str) -> Series {
    let mut all = Series::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (named, _) = line.rsplit_once(' ').expect("a name and a value");
        let (name, labels) = named.split_once('{').unwrap_or((named, ""));
        let known = all.entry(name.to_owned()).or_default();
        for pair in labels.trim_end_matches('}').split("\",").filter(|pair| !pair.is_empty()) {
            let (label, value) = pair.split_once("=\"").expect("a label and a value");
            let values = known.entry(label.to_owned()).or_default();
            values.insert(value.trim_end_matches('"').to_owned());
        }
    }
    all
}

async fn shown(gateway: &Gateway) -> Series {
    series(&gateway.call("GET", "/metrics").send().await.body)
}

/// Holds an expression to what is there: each value that it looks for too, whether it happened or not, since a rule does not see a
/// counter come into being.
fn hold(place: &str, expression: &str, series: &Series) {
    let Names { metrics, selected, grouping, functions } = promql::names(expression);
    assert!(!metrics.is_empty(), "{place} reads nothing: {expression}");
    for function in functions {
        assert!(FUNCTIONS.contains(&function.as_str()), "{place}: what does {function} do?");
    }
    for metric in metrics.iter().filter(|metric| *metric != UP) {
        assert!(series.contains_key(metric), "{place}: there is no {metric}");
    }
    for (metric, label, value) in selected {
        let is_variable = value.contains('$');
        if TARGET.contains(&label.as_str()) || is_variable {
            continue;
        }
        let seen = series[&metric].get(&label);
        let seen = seen.unwrap_or_else(|| panic!("{place}: {metric} has no label {label}"));
        for value in value.split('|') {
            assert!(seen.contains(value), "{place}: {metric} is never {label}={value:?}");
        }
    }
    for label in grouping.iter().filter(|label| !TARGET.contains(&label.as_str())) {
        let all_have_it = metrics.iter().all(|metric| series[metric].contains_key(label));
        assert!(all_have_it, "{place}: not all of {metrics:?} have {label}");
    }
}

/// The expressions of the alert rules by name; written as this file is, on one line or as a block.
fn alerts() -> Vec<(String, String)> {
    let text = files::text("prometheus/alerts.yaml");
    let mut alerts = Vec::new();
    let mut name = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(alert) = line.trim_start().strip_prefix("- alert: ") {
            alert.clone_into(&mut name);
        } else if let Some(expression) = line.trim_start().strip_prefix("expr: ") {
            let mut expression = expression.trim_start_matches('|').to_owned();
            while let Some(more) =
                lines.next_if(|next| next.starts_with("          ") && !next.contains(": "))
            {
                expression.push_str(more);
            }
            alerts.push((name.clone(), expression));
        }
    }
    alerts
}

/// Every expression of the dashboard, those of its variables too, with the title of its panel.
fn queries() -> Vec<(String, String)> {
    let board: Value = serde_json::from_str(&files::text("grafana/sluice.json")).expect("JSON");
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut queries = Vec::new();
    for panel in list(&board["panels"]) {
        let title = panel["title"].as_str().expect("a title").to_owned();
        for target in list(&panel["targets"]) {
            queries.push((title.clone(), target["expr"].as_str().expect("a query").to_owned()));
        }
    }
    for variable in list(&board["templating"]["list"]) {
        let query = variable["query"].as_str().expect("a query");
        // `label_values(metric, label)`: the label is Prometheus' own.
        if let Some((metric, label)) =
            query.strip_prefix("label_values(").and_then(|q| q.rsplit_once(", "))
        {
            assert!(TARGET.contains(&label.trim_end_matches(')')), "{query}");
            queries.push((format!("variable {}", variable["name"]), metric.to_owned()));
        }
    }
    queries
}

#[tokio::test]
async fn alert_rules_and_dashboard_name_only_what_the_gateway_shows() {
    let (gateway, _providers, _sink) = eventful().await;
    let series = shown(&gateway).await;
    let (alerts, queries) = (alerts(), queries());
    let counted = files::text("prometheus/alerts.yaml").matches("- alert: ").count();
    assert_eq!(alerts.len(), counted, "each rule was read");
    assert!(alerts.len() >= 10 && queries.len() >= 25, "{} and {}", alerts.len(), queries.len());

    for (name, expression) in &alerts {
        hold(&format!("the alert {name}"), expression, &series);
    }
    for (title, expression) in &queries {
        hold(&format!("the panel {title:?}"), expression, &series);
    }
}

#[test]
fn a_name_that_is_not_there_would_be_found() {
    let series = series("a_total{code=\"X\"} 1\n");

    for wrong in [
        "b_total",
        "a_total{other=\"X\"}",
        "a_total{code=\"Y\"}",
        "sum by (other) (a_total)",
        "rat(a_total)",
    ] {
        let held = std::panic::catch_unwind(|| hold("here", wrong, &series));
        assert!(held.is_err(), "{wrong}");
    }
    hold("here", "sum by (code, job) (rate(a_total{code=\"X\"}[5m]))", &series);
}

/// A row of the table: name and labels.
fn row(line: &str) -> Option<(String, BTreeSet<String>)> {
    let cells: Vec<&str> = line.strip_prefix("| `")?.split('|').map(str::trim).collect();
    let labels = cells.get(2)?.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    Some((cells.first()?.trim_end_matches('`').to_owned(), labels))
}

#[tokio::test]
async fn the_table_of_metrics_is_what_the_gateway_shows() {
    let (gateway, _providers, _sink) = eventful().await;
    let document = fs::read_to_string(root().join("docs/operating/metrics.md")).expect("text");
    let told: BTreeMap<_, _> = document.lines().filter_map(row).collect();

    let mut real: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, labels) in shown(&gateway).await {
        let address = labels.values().flatten().find(|value| value.contains('@'));
        assert_eq!(address, None, "{name} tells whoever reads it an address");
        let histogram = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
        let labels = labels.into_keys().filter(|label| label != "le");
        real.entry(histogram.unwrap_or(&name).to_owned()).or_default().extend(labels);
    }
    assert_eq!(told, real);
}

#[test]
fn every_alert_has_its_remedy() {
    let document = root().join("docs/operating/troubleshooting.md");
    let document = fs::read_to_string(document).expect("text");

    for (name, _) in alerts() {
        assert!(
            document.contains(&format!("`{name}`")),
            "troubleshooting.md says nothing of {name}"
        );
    }
}

/// Words of the documents for operators that look like what the gateway says or counts.
#[test]
fn what_troubleshooting_quotes_is_said_and_counted() {
    let folder = root().join("docs/operating");
    let document = fs::read_to_string(folder.join("troubleshooting.md")).expect("text");
    let metrics = fs::read_to_string(folder.join("metrics.md")).expect("text");
    let keys = fs::read_to_string(root().join("config/sluice.toml")).expect("text");
    let sources = sources();

    let quoted: Vec<&str> = document.split('`').skip(1).step_by(2).collect();
    assert!(quoted.len() > 100, "{}", quoted.len());
    for words in quoted {
        let is_metric = words.starts_with("chatbox_") || words.starts_with("sluice_");
        let is_alert = words.starts_with("Sluice");
        let is_line = !words.starts_with("sluice ")
            && words.contains(' ')
            && words.chars().all(|c| c.is_ascii_lowercase() || " ,':;.-".contains(c));
        let is_key = words.contains('.')
            && words.chars().all(|c| c.is_ascii_lowercase() || "._".contains(c))
            && !words.contains(".md");
        if is_metric {
            assert!(metrics.contains(&format!("| `{words}` |")), "no metric {words}");
        } else if is_alert {
            let known = alerts().iter().any(|(name, _)| name == words);
            assert!(known, "no alert {words}");
        } else if is_line && !PROXY_LINES.contains(&words) {
            assert!(sources.iter().any(|source| source.contains(words)), "nobody says {words:?}");
        } else if is_key && !words.starts_with("checks.") {
            let (_, leaf) = words.rsplit_once('.').expect("a dot");
            let known = keys.lines().any(|line| line.starts_with(&format!("{leaf} = ")));
            assert!(known, "no key {words}");
        }
    }
}

/// Lines of the proxies' configuration, which troubleshooting quotes as well.
const PROXY_LINES: [&str; 1] = ["proxy_buffering off"];

/// Everything the host is written in.
fn sources() -> Vec<String> {
    let mut sources = Vec::new();
    let mut folders = vec![root().join("host")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                sources.push(fs::read_to_string(path).expect("text"));
            }
        }
    }
    sources
}
