//! A model fails, and policies have a word about who answers instead.

use serde_json::json;
use sluice_tests::{FakeProvider, Gateway, Script, Setup, patiently};

use super::{bundled, judge, prompt, record};

/// Providers of the models `first`, which fails, and of those that may answer instead, each with what it says.
struct Stage {
    first: FakeProvider,
    others: Vec<FakeProvider>,
    gateway: Gateway,
}

impl Stage {
    /// Others are `second` and so on, in this order. Each policy is `(id, source, settings)`.
    async fn with(others: &[&str], policies: &[(&str, String, &str)]) -> Self {
        let first = FakeProvider::start().await;
        first.always(Script::refusing(503, "text/html", "<h1>Down</h1>"));
        let quoted = |names: Vec<&str>| {
            names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
        };
        let chain = quoted(policies.iter().map(|(id, _, _)| *id).collect());
        let tables = policies.iter().map(|(id, source, settings)| {
            format!("[plugins.{id}]\nsource = \"{source}\"\nsettings = {settings}\n")
        });
        let mut tables: Vec<String> = tables.collect();
        let mut model = |id: &str, provider: &FakeProvider, fallback: &str| {
            let endpoint = provider.endpoint();
            tables.push(format!(
                "[plugins.of-{id}]
source = \"bundled:openai\"
endpoints.api = \"{endpoint}\"
secrets.api_key = \"env:KEY\"
[[models]]
id = \"{id}\"
plugin = \"of-{id}\"
fallback = [{fallback}]
"
            ));
        };
        model("first", &first, &quoted(others.to_vec()));
        let mut playing = Vec::new();
        for id in others {
            let provider = FakeProvider::start().await;
            provider.always(Script::saying(&["I am ", id]));
            model(id, &provider, "");
            playing.push(provider);
        }
        let config = format!("[policies]\nchain = [{chain}]\n{}", tables.concat());
        let gateway = Setup::new().config(&config).set("KEY", "key-of-the-test").start().await;
        Self { first, others: playing, gateway }
    }

    /// Asks `first` by the HTTP interface; returns the status and what was said.
    async fn complete(&self, content: &str) -> (u16, String) {
        let body =
            json!({ "model": "first", "messages": [{ "role": "user", "content": content }] });
        let call = self.gateway.call("POST", "/v1/chat/completions");
        let reply = call.bearer(&self.gateway.token("sam")).json(&body).send().await;
        let said = reply.json()["choices"][0]["message"]["content"].as_str().map(str::to_owned);
        (reply.status, said.unwrap_or_default())
    }
}

/// Nobody but staff may use `second`.
const NOT_SECOND: &str =
    r#"{ rules = [{ models = ["second"], then = "deny" }], otherwise = "allow" }"#;

#[tokio::test]
async fn a_model_that_a_policy_keeps_from_somebody_does_not_answer_instead() {
    let access = [("access", bundled("access"), NOT_SECOND)];
    let stage = Stage::with(&["second", "third"], &access).await;
    let mut sam = stage.gateway.connect("sam").await;

    let answer = sam.ask("Who?").await;
    let completed = stage.complete("Who?").await;

    assert_eq!(answer.text, "I am third");
    assert_eq!(completed, (200, "I am third".to_owned()));
    assert_eq!(stage.others[0].count(), 0);
    let line = json!(["message: access", "sam", null, 403]);
    assert_eq!(record(&stage.gateway, "access").await, [line.clone(), line]);
}

#[tokio::test]
async fn where_nobody_may_answer_instead_the_failure_is_the_first_ones() {
    let access = [("access", bundled("access"), NOT_SECOND)];
    let stage = Stage::with(&["second"], &access).await;
    let mut sam = stage.gateway.connect("sam").await;

    let answer = sam.ask("Who?").await;
    let completed = stage.complete("Who?").await;

    assert_eq!(answer.finish_reason, "error");
    assert_eq!(completed.0, 503);
    assert_eq!(stage.others[0].count(), 0);
}

#[tokio::test]
async fn each_model_is_asked_what_the_policies_make_of_the_question_for_it() {
    let policies = [
        ("names", judge(), r#"{ message = "append-model", with = " for " }"#),
        ("house", judge(), r#"{ message = "prepend", with = "Be kind." }"#),
    ];
    let stage = Stage::with(&["second"], &policies).await;
    let mut sam = stage.gateway.connect("sam").await;

    let mut answers = Vec::new();
    answers.push(sam.ask("Hi").await.text);
    answers.push(stage.complete("Hi").await.1);

    assert_eq!(answers, ["I am second", "I am second"]);
    let pair = |role: &str, text: &str| (role.to_owned(), text.to_owned());
    let second = &stage.others[0];
    for n in 1..=2 {
        let own = [pair("system", "Be kind."), pair("user", "Hi for second")];
        assert_eq!(prompt(second, n).await, own);
    }
    let own = [pair("system", "Be kind."), pair("user", "Hi for first")];
    assert_eq!(prompt(&stage.first, 1).await, own);
}

#[tokio::test]
async fn a_budget_for_one_message_is_enough_for_one_that_another_model_answers() {
    let limits =
        r#"{ limits = [{ name = "messages", within = "day", at_most = { messages = 1 } }] }"#;
    let stage = Stage::with(&["second"], &[("budget", bundled("budget"), limits)]).await;

    assert_eq!(stage.complete("Who?").await, (200, "I am second".to_owned()));
    assert_eq!(stage.complete("Again?").await.0, 403);
}

#[tokio::test]
async fn what_another_model_says_and_takes_is_judged_as_its_own() {
    let house = r#"{ output = "tell-model", usage = "tell-model" }"#;
    let stage = Stage::with(&["second"], &[("house", judge(), house)]).await;
    let mut sam = stage.gateway.connect("sam").await;

    let answer = sam.ask("Who?").await;
    let completed = stage.complete("Who?").await;

    assert_eq!(answer.text, "second");
    assert_eq!(completed, (200, "second".to_owned()));
    let lines = [
        json!(["usage: noted", "sam", "second", null]),
        json!(["output: model", "sam", null, null]),
    ];
    // Whoever calls has the answer before it is accounted for.
    patiently("both to be on record", async {
        while record(&stage.gateway, "house").await != [&lines[..], &lines].concat() {}
    })
    .await;
}
