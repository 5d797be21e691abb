//! Policies, through the whole gateway: who is asked, and what becomes of what they say.

mod budget;
mod chain;
mod filter;
mod guard;
mod instead;
mod operators;

use serde_json::{Value, json};
use sluice_tests::{FakeProvider, Gateway, Reply, Setup, guest};

/// A gateway with one provider and these policies in this order. Each is `(id, source, more)`, more being the rest of its table in
/// TOML.
fn with(provider: &FakeProvider, policies: &[(&str, String, &str)]) -> Setup {
    let ids: Vec<String> = policies.iter().map(|(id, _, _)| format!("\"{id}\"")).collect();
    let table = |(id, source, more): &(&str, String, &str)| {
        format!("\n[plugins.{id}]\nsource = \"{source}\"\n{more}\n")
    };
    let tables: Vec<String> = policies.iter().map(table).collect();
    let (ids, tables) = (ids.join(", "), tables.concat());
    let config = format!("[policies]\nchain = [{ids}]\nbreak_glass = [\"root\"]\n{tables}");
    Setup::new().config(&config).and("fake", provider)
}

pub(crate) fn bundled(name: &str) -> String {
    format!("bundled:{name}")
}

/// The policy that does in each hook what its settings say.
fn judge() -> String {
    format!("file:{}", guest("judge").display())
}

/// Asks by the HTTP interface.
async fn complete(gateway: &Gateway, token: &str, content: &str) -> Reply {
    let model =
        gateway.call("GET", "/v1/models").bearer(token).send().await.json()["data"][0]["id"]
            .clone();
    let body = json!({ "model": model, "messages": [{ "role": "user", "content": content }] });
    gateway.call("POST", "/v1/chat/completions").bearer(token).json(&body).send().await
}

/// What `sluice_policy_calls_total` says of a policy's hook.
async fn calls(gateway: &Gateway, policy: &str, hook: &str) -> Vec<(String, f64)> {
    let figures = gateway.call("GET", "/metrics").send().await.body;
    let head = format!("sluice_policy_calls_total{{policy=\"{policy}\",hook=\"{hook}\",outcome=\"");
    let lines = figures.lines().filter_map(|line| line.strip_prefix(&head));
    let mut found: Vec<(String, f64)> = lines
        .map(|rest| {
            let (outcome, count) = rest.split_once("\"} ").expect("a label and a figure");
            (outcome.to_owned(), count.parse().expect("a number"))
        })
        .filter(|(_, count)| *count > 0.0)
        .collect();
    found.sort_by(|one, other| one.0.cmp(&other.0));
    found
}

/// What is on record of what a policy did, the newest first: hook and word, whose message, the reason and the status.
async fn record(gateway: &Gateway, policy: &str) -> Vec<Value> {
    let token = gateway.token_with("root", &["admin"]);
    let path = format!("/chatbox/admin/audit?admin_id=policy:{policy}");
    let audit = gateway.call("GET", &path).bearer(&token).send().await.json();
    let entries = audit["entries"].as_array().expect("lines of the record").iter();
    let fields = ["action", "user_id", "reason", "status"];
    entries.map(|line| fields.iter().map(|field| line[*field].clone()).collect()).collect()
}

/// What the provider was sent with its `n`th request, as pairs of role and text.
async fn prompt(provider: &FakeProvider, n: usize) -> Vec<(String, String)> {
    let request = provider.request(n).await;
    request.prompt().into_iter().map(|(role, text)| (role.to_owned(), text.to_owned())).collect()
}

fn error(frame: &Value) -> (&str, &str) {
    let error = &frame["error"];
    (error["code"].as_str().unwrap_or_default(), error["detail"].as_str().unwrap_or_default())
}
