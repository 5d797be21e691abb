//! Allow, deny, edit, reroute, fail: in a session and by `/v1`.

use serde_json::json;
use sluice_tests::{Client, FakeProvider, Gateway, Script, Setup, Signal, guest, kind};

use super::{bundled, calls, complete, error, judge, prompt, record, with};

async fn answering() -> FakeProvider {
    let provider = FakeProvider::start().await;
    provider.always(Script::saying(&["Yes."]));
    provider
}

/// Says something and returns what refuses it.
async fn refused(client: &mut Client, content: &str) -> serde_json::Value {
    client
        .send(&json!({ "type": "user_message", "content": content, "client_message_id": "c" }))
        .await;
    client.next_of("error").await
}

/// That nothing of it was stored or sent.
async fn nothing_came_of_it(gateway: &Gateway, provider: &FakeProvider, user: &str) {
    assert_eq!(gateway.get(user, "/sessions").await["count"], 0);
    assert_eq!(provider.count(), 0);
}

#[tokio::test]
async fn a_message_that_a_policy_refuses_is_neither_stored_nor_sent() {
    let provider = answering().await;
    let gateway =
        with(&provider, &[("house", judge(), "settings = { message = \"deny\" }")]).start().await;
    let mut alice = gateway.connect("alice").await;

    let frame = refused(&mut alice, "Please").await;

    assert_eq!(error(&frame), ("POLICY_DENIED", "The house says no to this."), "{frame}");
    assert_eq!(frame["error"]["retry_after"], 7_000, "{frame}");
    assert_eq!(frame["client_message_id"], "c");
    let reply = complete(&gateway, &gateway.token("alice"), "Please").await;
    assert_eq!((reply.status, reply.header("retry-after")), (403, None), "{}", reply.body);
    assert_eq!(reply.json()["error"]["code"], "policy_denied");
    assert_eq!(reply.json()["error"]["message"], "The house says no to this.");
    nothing_came_of_it(&gateway, &provider, "alice").await;
    assert_eq!(calls(&gateway, "house", "message").await, [("denied".to_owned(), 2.0)]);
}

#[tokio::test]
async fn each_policy_sees_what_the_one_before_it_made_of_a_message() {
    let provider = answering().await;
    let chain = [
        ("first", judge(), "settings = { message = \"append\", with = \" one\" }"),
        ("second", judge(), "settings = { message = \"append\", with = \" two\" }"),
        ("third", judge(), "settings = { message = \"prepend\", with = \"Be brief.\" }"),
    ];
    let gateway = with(&provider, &chain).start().await;
    let mut alice = gateway.connect("alice").await;

    alice.ask("Say").await;

    let sent = [("system", "Be brief."), ("user", "Say one two")];
    let sent = sent.map(|(role, text)| (role.to_owned(), text.to_owned()));
    assert_eq!(prompt(&provider, 1).await, sent);
    let stored = gateway.messages("alice", alice.session()).await;
    assert_eq!(stored[0]["content"], "Say one two", "what is stored is what is sent");
    complete(&gateway, &gateway.token("alice"), "Say").await;
    assert_eq!(prompt(&provider, 2).await, sent);
}

#[tokio::test]
async fn an_answer_given_again_is_judged_again() {
    let provider = answering().await;
    let chain = [("third", judge(), "settings = { message = \"prepend\", with = \"Be brief.\" }")];
    let gateway = with(&provider, &chain).start().await;
    let mut alice = gateway.connect("alice").await;
    alice.ask("Say").await;

    let session = alice.session().to_owned();
    alice.send(&json!({ "type": "regenerate", "session_id": session })).await;
    alice.answer().await;

    assert_eq!(prompt(&provider, 2).await, prompt(&provider, 1).await);
    assert_eq!(calls(&gateway, "third", "message").await, [("allowed".to_owned(), 2.0)]);
}

#[tokio::test]
async fn labels_go_down_the_chain_and_the_first_no_decides() {
    let provider = answering().await;
    let chain = [
        ("first", judge(), "settings = { message = \"label\" }"),
        ("second", judge(), "settings = { message = \"tell-labels\" }"),
        ("third", judge(), "settings = { message = \"deny\" }"),
    ];
    let gateway = with(&provider, &chain).start().await;

    let frame = refused(&mut gateway.connect("alice").await, "Please").await;

    assert_eq!(error(&frame), ("POLICY_DENIED", "seen=yes"));
    assert!(calls(&gateway, "third", "message").await.is_empty(), "nobody asks the third");
}

#[tokio::test]
async fn a_message_can_be_sent_to_another_model_but_only_to_one_of_the_users() {
    for (roles, open, expected) in [
        (&["staff"][..], "", Ok("Sent.")),
        (&[], "", Err("POLICY_DENIED")),
        (&[], "on_failure = \"open\"", Ok("Usual.")),
    ] {
        let (usual, other) = (
            FakeProvider::playing(Script::saying(&["Usual."])).await,
            FakeProvider::playing(Script::saying(&["Sent."])).await,
        );
        let endpoint = other.endpoint();
        let source = judge();
        let gateway = Setup::new()
            .config(&format!(
                "
[policies]
chain = [\"house\"]

[plugins.house]
source = \"{source}\"
settings = {{ message = \"reroute\", with = \"big\" }}
{open}

[plugins.other]
source = \"bundled:openai\"
endpoints.api = \"{endpoint}\"
secrets.api_key = \"env:KEY\"

[llm]
default_model = \"usual\"

[[models]]
id = \"big\"
plugin = \"other\"
roles = [\"staff\"]
"
            ))
            .set("KEY", "key-of-the-test")
            .and("usual", &usual)
            .start()
            .await;
        let dial = gateway.dial().bearer(&gateway.token_with("sam", roles));
        let mut sam = dial.open().await.expect("a good token");

        sam.send(&json!({ "type": "user_message", "content": "Who?" })).await;
        let frames = sam.frames_until("an end", |frame| {
            kind(frame) == "error" || frame["finish_reason"].is_string()
        });
        let last = frames.await.pop().unwrap();

        match expected {
            Ok(text) => {
                assert_eq!(last["finish_reason"], "stop", "{last}");
                let stored = gateway.messages("sam", sam.session()).await;
                assert_eq!(stored[1]["content"], text);
            }
            Err(code) => assert_eq!(error(&last).0, code, "{last}"),
        }
        assert_eq!(usual.count() + other.count(), usize::from(expected.is_ok()));
    }
}

#[tokio::test]
async fn whoever_is_refused_a_connection_learns_why_and_when_to_come_again() {
    let provider = answering().await;
    let doorman = format!("file:{}", guest("doorman").display());
    let gateway = with(&provider, &[("doorman", doorman, "")]).start().await;
    let banned = gateway.token_with("mallory", &["banned"]);

    let refusal = gateway.dial().bearer(&banned).open().await.expect_err("not let in");
    assert_eq!(refusal.status, 403, "{refusal:?}");
    let reply = complete(&gateway, &banned, "Please").await;
    assert_eq!(reply.status, 403, "{}", reply.body);
    assert_eq!(reply.json()["error"]["message"], "You are not let in.");
    assert_eq!(provider.count(), 0);

    assert_eq!(gateway.connect("alice").await.ask("Hi").await.text, "Yes.");
    // It has no other hook, and is not asked as if it had.
    for hook in ["message", "output", "usage", "admin"] {
        assert!(calls(&gateway, "doorman", hook).await.is_empty(), "{hook}");
    }
    let asked = calls(&gateway, "doorman", "connect").await;
    assert_eq!(asked, [("allowed".to_owned(), 1.0), ("denied".to_owned(), 2.0)]);
}

#[tokio::test]
async fn a_policy_that_fails_says_no_unless_it_is_to_be_passed_over() {
    let table = [("trap", "trapped"), ("spin", "timed_out"), ("hoard", "out_of_memory")];
    for (word, outcome) in table {
        for open in [false, true] {
            let provider = answering().await;
            let settings = format!("settings = {{ message = \"{word}\" }}");
            let more = if open { format!("{settings}\non_failure = \"open\"") } else { settings };
            let gateway = with(&provider, &[("house", judge(), &more)]).start().await;
            let mut alice = gateway.connect("alice").await;

            if open {
                assert_eq!(alice.ask("Please").await.text, "Yes.", "{word}");
            } else {
                let frame = refused(&mut alice, "Please").await;
                let told = "This cannot be checked now; try again later.";
                assert_eq!(error(&frame), ("POLICY_DENIED", told), "{word}");
                nothing_came_of_it(&gateway, &provider, "alice").await;
            }
            let counted = calls(&gateway, "house", "message").await;
            assert_eq!(counted, [(outcome.to_owned(), 1.0)], "{word}");
            let line = json!(["message: failed", "alice", null, 403]);
            let expected = if open { vec![] } else { vec![line] };
            assert_eq!(record(&gateway, "house").await, expected, "{word}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_a_filter_could_not_judge_is_on_record() {
    let provider = answering().await;
    let chain = [("house", judge(), "settings = { output = \"trap\" }")];
    let gateway = with(&provider, &chain).start().await;

    assert_eq!(gateway.connect("alice").await.ask("Please").await.finish_reason, "error");
    assert!(complete(&gateway, &gateway.token("bob"), "Please").await.status >= 500);

    let line = |user| json!(["output: failed", user, null, null]);
    assert_eq!(record(&gateway, "house").await, [line("bob"), line("alice")]);
}

#[tokio::test]
async fn a_policy_that_fails_on_and_on_is_not_run_for_a_while_in_any_of_its_hooks() {
    let provider = answering().await;
    let chain = [
        ("house", judge(), "settings = { message = \"trap\" }\non_failure = \"open\""),
        ("other", judge(), ""),
    ];
    let gateway = with(&provider, &chain).start().await;
    let down = |plugin| format!("sluice_plugin_down{{plugin=\"{plugin}\"}}");

    // It fails at what one user says as often as they like.
    let mut alice = gateway.connect("alice").await;
    for _ in 0..7 {
        assert_eq!(alice.ask("Please").await.text, "Yes.");
    }
    assert_eq!(gateway.metric(&down("house")).await, Some(0.0));

    let mut others = Vec::new();
    for n in 0..5 {
        others.push(gateway.connect(&format!("user-{n}")).await);
    }
    for (n, other) in (0..).zip(&mut others) {
        assert_eq!(gateway.metric(&down("house")).await, Some(f64::from(u8::from(n >= 4))), "{n}");
        assert_eq!(other.ask("Please").await.text, "Yes.");
    }

    // Its filter works, and so did the hook for connections: they are the same plugin's.
    gateway.connect("bob").await;
    let asked = calls(&gateway, "house", "connect").await;
    assert_eq!(asked, [("allowed".to_owned(), 6.0), ("skipped".to_owned(), 1.0)]);
    let filtered = calls(&gateway, "house", "output").await;
    assert!(filtered.contains(&("skipped".to_owned(), 2.0)), "{filtered:?}");
    assert_eq!(gateway.metric(&down("other")).await, Some(0.0), "each has its own");
    assert_eq!(gateway.metric(&down("provider-1")).await, Some(0.0));
    let counted = calls(&gateway, "house", "message").await;
    assert_eq!(counted, [("skipped".to_owned(), 1.0), ("trapped".to_owned(), 11.0)]);
    let token = gateway.token_with("root", &["admin"]);
    let list = gateway.call("GET", "/chatbox/admin/plugins").bearer(&token).send().await.json();
    let house = list["plugins"].as_array().unwrap().iter().find(|plugin| plugin["id"] == "house");
    let house = house.expect("it is there");
    assert_eq!((&house["kind"], &house["state"]), (&json!("policy"), &json!("down")), "{house}");
    assert_eq!((&house["place"], &house["on_failure"]), (&json!(1), &json!("open")), "{house}");
    assert_eq!(house["hooks"], json!(["connect", "message", "output", "admin", "usage"]));
    let used = &house["used"];
    assert_eq!(used["failed"], 11, "{used}");
    assert!(used["calls"].as_u64() > Some(11) && used["seconds"].as_f64() > Some(0.0), "{used}");
    assert!(used["peak_memory_bytes"].as_u64() > Some(65_536), "{used}");
    for plugin in ["house", "other", "provider-1"] {
        let trapped =
            format!("sluice_plugin_failures_total{{plugin=\"{plugin}\",outcome=\"trapped\"}}");
        let expected = if plugin == "house" { 11.0 } else { 0.0 };
        assert_eq!(gateway.metric(&trapped).await, Some(expected), "{plugin}");
        let calls =
            gateway.metric(&format!("sluice_plugin_calls_total{{plugin=\"{plugin}\"}}")).await;
        assert!(calls > Some(0.0), "{plugin}: {calls:?}");
        let memory = format!("sluice_plugin_peak_memory_bytes{{plugin=\"{plugin}\"}}");
        assert!(gateway.metric(&memory).await > Some(65_536.0), "{plugin}");
    }
}

#[tokio::test]
async fn a_policy_that_is_down_is_down_after_a_reload_too() {
    let provider = answering().await;
    let chain = [("house", judge(), "settings = { message = \"trap\" }\non_failure = \"open\"")];
    let gateway = with(&provider, &chain).start().await;
    for user in ["alice", "bob", "carol", "dan", "erin"] {
        assert_eq!(gateway.connect(user).await.ask("Please").await.text, "Yes.");
    }

    gateway.signal(Signal::SIGHUP);
    gateway.logged("reloaded the configuration").await;

    assert_eq!(gateway.metric("sluice_plugin_down{plugin=\"house\"}").await, Some(1.0));
    gateway.connect("frank").await.ask("Please").await;
    let counted = calls(&gateway, "house", "message").await;
    assert_eq!(counted, [("skipped".to_owned(), 1.0), ("trapped".to_owned(), 5.0)]);
}

#[tokio::test]
async fn a_chain_of_what_is_no_policy_does_not_start() {
    let provider = FakeProvider::start().await;
    for (chain, why) in [
        ("provider-1", "it does not judge"),
        ("nobody", "is no plugin"),
        ("guard\", \"guard", "is asked already"),
    ] {
        let config = format!(
            "[policies]\nchain = [\"{chain}\"]\n[plugins.guard]\nsource = \"{}\"\n",
            bundled("guard")
        );
        let ended = Setup::new().config(&config).and("fake", &provider).ended().await;
        assert_eq!(ended.code, Some(64), "{chain}: {ended:?}");
        assert!(ended.stderr.contains(why), "{chain}: {ended:?}");
    }
}

#[tokio::test]
async fn another_chain_is_asked_after_a_reload() {
    let provider = answering().await;
    let config = |chain: &str| {
        let source = judge();
        format!(
            "[policies]\nchain = [{chain}]\n[plugins.house]\nsource = \"{source}\"\nsettings = {{ message = \"deny\" }}\n"
        )
    };
    let gateway = Setup::new().config(&config("")).and("fake", &provider).start().await;
    let mut alice = gateway.connect("alice").await;
    assert_eq!(alice.ask("Please").await.text, "Yes.");

    std::fs::write(gateway.home().join("sluice.toml"), config("\"house\"")).unwrap();
    gateway.signal(Signal::SIGHUP);
    gateway.logged("reloaded the configuration").await;

    assert_eq!(error(&refused(&mut alice, "Please").await).0, "POLICY_DENIED");
}
