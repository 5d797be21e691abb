//! The document of the HTTP interface, held to what the gateway answers: every operation of it, and no field that it does not name.

use std::collections::BTreeSet;

use mongodb::bson::DateTime;
use serde_json::{Value, json};
use sluice_tests::{FakeProvider, Gateway, Reply, Script, Setup};

use super::policies::bundled;

/// The document, and who holds it to a gateway.
struct Reader<'a> {
    gateway: &'a Gateway,
    document: Value,
    /// Operations that were answered well.
    done: BTreeSet<String>,
}

impl<'a> Reader<'a> {
    async fn of(gateway: &'a Gateway) -> Self {
        let reply = gateway.call("GET", "/openapi.json").send().await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        let document = reply.json();
        assert_eq!(document["servers"], json!([{ "url": "/chatbox" }]));
        Self { gateway, document, done: BTreeSet::new() }
    }

    /// Method, path and description of an operation.
    fn operation(&self, id: &str) -> (String, String, &Value) {
        let paths = self.document["paths"].as_object().expect("paths").iter();
        let all = paths.flat_map(|(path, methods)| {
            methods.as_object().expect("methods").iter().map(move |method| (path, method))
        });
        let mut found = all.filter(|(_, (_, operation))| operation["operationId"] == id);
        let (path, (method, operation)) = found.next().expect("an operation of that id");
        assert!(found.next().is_none(), "{id} twice");
        (method.to_uppercase(), path.clone(), operation)
    }

    /// Calls an operation and holds the answer to what is told of it. What is asked has to be told too.
    async fn call(
        &mut self,
        id: &str,
        token: &str,
        asked: &[(&str, &str)],
        body: Option<Value>,
    ) -> Reply {
        let (method, template, operation) = self.operation(id);
        let (mut path, mut query) = (template.clone(), Vec::new());
        for (name, value) in asked {
            let placeholder = format!("{{{name}}}");
            if path.contains(&placeholder) {
                path = path.replace(&placeholder, value);
            } else {
                let told = operation["parameters"].as_array().into_iter().flatten();
                let told: Vec<_> = told.map(|parameter| &parameter["name"]).collect();
                assert!(told.contains(&&json!(name)), "{id} knows no {name}");
                query.push(format!("{name}={value}"));
            }
        }
        let call = self.gateway.call(&method, &format!("/chatbox{path}?{}", query.join("&")));
        let call = if token.is_empty() { call } else { call.bearer(token) };
        let call = if let Some(body) = &body { call.json(body) } else { call };
        let reply = call.send().await;

        let told = &operation["responses"];
        let status = reply.status.to_string();
        let told = told.get(&status).or_else(|| told.get("default")).expect("an answer");
        self.hold(&format!("{id} {status}"), told, &reply);
        if reply.status < 300 {
            self.done.insert(id.to_owned());
        }
        reply
    }

    fn hold(&self, what: &str, told: &Value, reply: &Reply) {
        let told = match told["$ref"].as_str() {
            Some(place) => self.document.pointer(place.trim_start_matches('#')).expect("there"),
            None => told,
        };
        let Some(contents) = told["content"].as_object() else {
            return assert_eq!(reply.body, "", "{what} has no body");
        };
        let kind = reply.header("content-type").unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default();
        let told = contents.get(kind).expect(what);
        if kind == "application/json" {
            let wrong = self.wrong(&told["schema"], &reply.json(), "");
            assert!(wrong.is_empty(), "{what}: {wrong:?} in {}", reply.body);
        }
    }

    /// What of a value is not as its schema says. Knows the words that the document uses, and no others.
    fn wrong(&self, schema: &Value, value: &Value, place: &str) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut expect = |holds: bool, what: &str, told: &Value| {
            if !holds {
                wrong.push(format!("{place}: {value} is not {what} {told}"));
            }
        };
        let (list, text) = (value.as_array(), value.as_str());
        let length = text.map(|text| text.chars().count() as u64);
        let least =
            |told: &Value, has: Option<u64>| has.is_none_or(|has| Some(has) >= told.as_u64());
        let most =
            |told: &Value, has: Option<u64>| has.is_none_or(|has| Some(has) <= told.as_u64());
        let mut inner = Vec::new();
        for (word, told) in schema.as_object().expect("a schema") {
            match word.as_str() {
                // The last two are for what is within, below.
                "description" | "properties" | "additionalProperties" => {}
                "$ref" => {
                    let place = told.as_str().expect("a place").trim_start_matches('#');
                    inner.push((self.document.pointer(place).expect("it is there"), value, ""));
                }
                "type" => {
                    let told = told.as_array().map_or(std::slice::from_ref(told), Vec::as_slice);
                    let fits = told.iter().any(|kind| is_a(kind.as_str().expect("a kind"), value));
                    expect(fits, "of type", &json!(told));
                }
                "enum" => expect(told.as_array().expect("a list").contains(value), "one of", told),
                "const" => expect(told == value, "just", told),
                "format" => {
                    assert_eq!(told, "date-time");
                    let reads = text.is_none_or(|text| DateTime::parse_rfc3339_str(text).is_ok());
                    expect(reads, "a", told);
                }
                "minimum" => expect(least(told, value.as_u64()), "at least", told),
                "minLength" => expect(least(told, length), "as long as", told),
                "maxLength" => expect(most(told, length), "as short as", told),
                "items" => {
                    inner.extend(list.into_iter().flatten().map(|item| (told, item, "*")));
                }
                "required" => {
                    let names = told.as_array().expect("a list").iter();
                    let names = names.map(|name| name.as_str().expect("a name"));
                    let missing: Vec<&str> =
                        names.filter(|name| value.get(name).is_none()).collect();
                    expect(missing.is_empty(), "with", &json!(missing));
                }
                _ => unreachable!("{place}: nobody here knows the word {word}"),
            }
        }
        // The document lets more be there, for what comes later; nothing is to be left untold today.
        let (named, more) = (&schema["properties"], schema.get("additionalProperties"));
        let is_closed = named.is_object() && more.is_none();
        for (name, field) in value.as_object().into_iter().flatten() {
            match named.get(name).or(more.filter(|more| more.is_object())) {
                Some(told) => inner.push((told, field, name)),
                None => expect(!is_closed, "without", &json!(name)),
            }
        }
        let within = |(schema, value, name): (&Value, &Value, &str)| {
            self.wrong(schema, value, &format!("{place}/{name}"))
        };
        let within: Vec<String> = inner.into_iter().flat_map(within).collect();
        [wrong, within].concat()
    }
}

fn is_a(kind: &str, value: &Value) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => unreachable!("{kind} is no type"),
    }
}

/// As OpenAI's embeddings come.
fn vector() -> Script {
    let entry = json!({ "object": "embedding", "index": 0, "embedding": [1.0, 2.0] });
    let usage = json!({ "prompt_tokens": 3, "total_tokens": 3 });
    let body = json!({ "object": "list", "data": [entry], "model": "m", "usage": usage });
    Script::refusing(200, "application/json", &body.to_string())
}

async fn gateway(provider: &FakeProvider) -> Gateway {
    let (endpoint, access) = (provider.endpoint(), bundled("access"));
    let config = format!(
        "
[policies]
chain = [\"access\"]

[plugins.access]
source = \"{access}\"

[plugins.vendor]
source = \"bundled:openai\"
endpoints.api = \"{endpoint}\"
secrets.api_key = \"env:KEY\"

[[models]]
id = \"priced\"
plugin = \"vendor\"
price = {{ input = 1_000_000, output = 2_000_000 }}
"
    );
    let setup = Setup::new().config(&config).set("KEY", "key-of-the-test");
    setup.set("SLUICE_LIMITS__ADMIN", "1000/1m").watched().start().await
}

#[tokio::test]
async fn every_operation_answers_as_the_document_says() {
    let provider = FakeProvider::start().await;
    let gateway = gateway(&provider).await;
    let mut alice = gateway.connect("alice").await;
    alice.ask("Hello?").await;
    let session = alice.session().to_owned();
    gateway.connect("alice").await.ask("Another one").await;
    let (token, operator) = (gateway.token("alice"), gateway.token_with("olga", &["admin"]));
    let (user, olga) = (token.as_str(), operator.as_str());
    let mut api = Reader::of(&gateway).await;
    let id = ("id", session.as_str());

    let page = api.call("listSessions", user, &[("limit", "1")], None).await.json();
    let cursor = page["next_cursor"].as_str().expect("another page");
    api.call("listSessions", user, &[("cursor", cursor), ("q", "hello")], None).await;
    api.call("readSession", user, &[id], None).await;
    api.call("listMessages", user, &[id, ("limit", "1")], None).await;
    api.call("listMessages", user, &[id, ("before", "2")], None).await;
    api.call("renameSession", user, &[id], Some(json!({ "name": "Greetings" }))).await;
    api.call("endSession", user, &[id], None).await;
    let shared = api.call("shareSession", user, &[id], None).await.json();
    let shared = shared["share_token"].as_str().expect("a token");
    api.call("readShared", "", &[("token", shared), ("limit", "1")], None).await;
    api.call("listSessions", user, &[], None).await;

    api.call("readHealth", "", &[], None).await;
    api.call("readReadiness", "", &[], None).await;
    api.call("readMetrics", "", &[], None).await;
    api.call("readThis", "", &[], None).await;

    let question = json!([{ "role": "user", "content": "Hello?" }]);
    api.call("listModels", user, &[], None).await;
    api.call("readModel", user, &[("id", "priced")], None).await;
    for stream in [false, true] {
        let body = json!({ "model": "priced", "messages": question, "stream": stream });
        api.call("completeChat", user, &[], Some(body)).await;
    }
    provider.then(vector());
    api.call("embed", user, &[], Some(json!({ "model": "priced", "input": "Hello?" }))).await;

    let asked = [("limit", "1"), ("sort_by", "duration"), ("sort_order", "asc"), ("reason", "x")];
    api.call("reviewSessions", olga, &asked, None).await;
    api.call("reviewSessionsOfUser", olga, &[("id", "alice")], None).await;
    api.call("reviewSession", olga, &[id, ("limit", "1")], None).await;
    api.call("readFigures", olga, &[("start_time", "2026-01-01T00:00:00Z")], None).await;
    api.call("listPlugins", olga, &[], None).await;
    api.call("readAudit", olga, &[("limit", "1")], None).await;
    api.call("readAudit", olga, &[("admin_id", "olga")], None).await;
    api.call("unshareSession", user, &[id], None).await;
    api.call("deleteSession", user, &[id], None).await;
    api.call("revokeUser", olga, &[("id", "bob")], None).await;

    let paths = api.document["paths"].as_object().expect("paths").values();
    let all = paths.flat_map(|methods| methods.as_object().expect("methods").values());
    let all = all.filter_map(|operation| operation.get("operationId")?.as_str());
    // Nothing but a socket is answered well there.
    let all: BTreeSet<_> = all.filter(|id| *id != "connect").map(str::to_owned).collect();
    assert_eq!(api.done, all);
}

#[tokio::test]
async fn every_refusal_is_as_the_document_says() {
    let provider = FakeProvider::start().await;
    let gateway = gateway(&provider).await;
    let (token, operator) = (gateway.token("alice"), gateway.token_with("olga", &["admin"]));
    let (user, olga) = (token.as_str(), operator.as_str());
    let mut api = Reader::of(&gateway).await;

    for (status, id, token, asked, body) in [
        (400, "connect", user, &[][..], None),
        (403, "connect", "", &[], None),
        (401, "listSessions", "", &[], None),
        (401, "listSessions", "no.such.token", &[], None),
        (400, "listSessions", user, &[("cursor", "x")], None),
        (400, "listSessions", user, &[("limit", "x")], None),
        (404, "readSession", user, &[("id", "none")], None),
        (404, "renameSession", user, &[("id", "none")], Some(json!({}))),
        (404, "readShared", "", &[("token", "none")], None),
        (403, "reviewSessions", user, &[], None),
        (400, "reviewSessions", olga, &[("status", "odd")], None),
        (404, "reviewSession", olga, &[("id", "none")], None),
        (401, "listModels", "", &[], None),
        (404, "readModel", user, &[("id", "none")], None),
        (400, "completeChat", user, &[], Some(json!({}))),
        (400, "embed", user, &[], Some(json!({ "model": "priced" }))),
    ] {
        let reply = api.call(id, token, asked, body).await;
        assert_eq!(reply.status, status, "{id}: {}", reply.body);
    }
}
