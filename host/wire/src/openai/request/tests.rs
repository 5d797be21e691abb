use proptest::prelude::*;
use serde_json::{Value, json};
use sluice_chat::request::{Content, Extra, Role, ToolChoice, ToolContent, ToolDef};

use super::*;

fn read(more: &Value) -> Result<ChatCall, BadRequest> {
    let mut body = json!({ "model": "m", "messages": [{ "role": "user", "content": "Hi" }] });
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    ChatCall::parse(body.to_string().as_bytes())
}

fn extra(key: &str, value: &str) -> Extra {
    Extra { key: key.to_owned(), value: value.to_owned() }
}

#[test]
fn a_plain_question_is_read() {
    let call = read(&json!({})).unwrap();

    assert_eq!((call.model.as_str(), call.stream, call.include_usage), ("m", false, false));
    let request = ChatRequest {
        messages: vec![sluice_chat::request::Message::text(Role::User, "Hi")],
        stream: true,
        ..ChatRequest::default()
    };
    assert_eq!(call.request, request);
}

#[test]
fn what_has_no_word_of_ours_is_left_over_word_for_word() {
    let body = r#"{"model":"m","messages":[{"role":"user","content":"Hi","cache":{"b":1,"a":1.50}}],
        "zebra":{"z":1e400, "a":[12345678901234567890123]},"nothing":null,"tool_choice":{"type":"allowed_tools"},
        "response_format":{"type":"grammar","grammar":"x"}}"#;
    let request = ChatCall::parse(body.as_bytes()).unwrap().request;

    let expected = [
        extra("response_format", r#"{"type":"grammar","grammar":"x"}"#),
        extra("tool_choice", r#"{"type":"allowed_tools"}"#),
        extra("zebra", r#"{"z":1e400, "a":[12345678901234567890123]}"#),
    ];
    assert_eq!(request.extras, expected);
    assert_eq!(request.messages[0].extras, [extra("cache", r#"{"b":1,"a":1.50}"#)]);
    assert_eq!(request.tool_choice, ToolChoice::Auto);
}

#[test]
fn signed_thoughts_come_back_as_they_were_given_out() {
    let hidden = r#"{"type":"redacted_thinking","data":"Emw"}"#;
    let body = format!(
        r#"{{"model":"m","messages":[{{"role":"assistant","content":"Hi","reasoning_content":"Hm.",
        "thinking_blocks":[{{"type":"thinking","thinking":"Hm.","signature":"sig"}},{hidden}]}}]}}"#
    );
    let request = ChatCall::parse(body.as_bytes()).unwrap().request;

    let contents: Vec<_> = request.messages[0].parts.iter().map(|part| &part.content).collect();
    let Content::Reasoning(thought) = contents[0] else { panic!("a thought") };
    assert_eq!((thought.text.as_str(), thought.signature.as_deref()), ("Hm.", Some("sig")));
    assert_eq!(contents[1], &Content::Other(extra("redacted_thinking", hidden)));
    assert_eq!(contents[2], &Content::Text("Hi".to_owned()));
}

#[test]
fn a_client_cannot_say_what_the_gateway_tells_plugins() {
    let body = r#"{"model":"m","messages":[{"role":"user","content":"Hi","x-upstream-conversation":"another's","x-mine":1}]}"#;
    let request = ChatCall::parse(body.as_bytes()).unwrap().request;

    assert_eq!(request.messages[0].extras, [extra("x-mine", "1")]);
}

#[test]
fn a_schema_keeps_the_order_of_its_properties() {
    let schema = r#"{"type":"object","properties":{"second":{},"first":{}}}"#;
    let body = format!(
        r#"{{"model":"m","messages":[{{"role":"user","content":"Hi"}}],
        "response_format":{{"type":"json_schema","json_schema":{{"name":"n","strict":true,"schema":{schema}}}}}}}"#
    );
    let OutputFormat::JsonSchema(format) = ChatCall::parse(body.as_bytes()).unwrap().request.format
    else {
        panic!("a schema");
    };

    assert_eq!((format.name.as_deref(), format.strict), (Some("n"), Some(true)));
    assert_eq!(format.schema, schema);
}

#[test]
fn the_newer_limit_of_tokens_wins_and_stops_may_be_one_or_several() {
    let both = read(&json!({ "max_tokens": 5, "max_completion_tokens": 7 })).unwrap().request;
    let old = read(&json!({ "max_tokens": 5, "stop": "a" })).unwrap().request;
    let several = read(&json!({ "stop": ["a", "b"] })).unwrap().request;

    assert_eq!(both.max_output_tokens, Some(7));
    assert_eq!(old.max_output_tokens, Some(5));
    assert_eq!(old.stop, ["a"]);
    assert_eq!(several.stop, ["a", "b"]);
}

#[test]
fn a_round_of_tools_is_read() {
    let call = json!({ "id": "c1", "type": "function", "function": { "name": "f", "arguments": "{}" }, "extra_content": 1 });
    let messages = json!([
        { "role": "assistant", "content": null, "tool_calls": [call], "refusal": null, "reasoning_content": "Hm." },
        { "role": "tool", "tool_call_id": "c1", "content": [{ "type": "text", "text": "snow" }] },
    ]);
    let tools = json!([
        { "type": "function", "function": { "name": "f", "parameters": { "type": "object" }, "strict": true } },
        { "type": "web_search" },
    ]);
    let choice = json!({ "type": "function", "function": { "name": "f" } });
    let more = json!({ "messages": messages, "tools": tools, "tool_choice": choice });
    let request = read(&more).unwrap().request;

    assert_eq!(request.tool_choice, ToolChoice::Named("f".to_owned()));
    let ToolDef::Function(function) = &request.tools[0] else { panic!("a function") };
    assert_eq!(function.parameters, r#"{"type":"object"}"#);
    assert_eq!(function.extras, [extra("strict", "true")]);
    assert_eq!(request.tools[1], ToolDef::Vendor(r#"{"type":"web_search"}"#.to_owned()));
    let parts = &request.messages[0].parts;
    assert!(matches!(&parts[0].content, Content::Reasoning(thought) if thought.text == "Hm."));
    let Content::ToolCall(call) = &parts[1].content else { panic!("a call") };
    assert_eq!((call.id.as_str(), call.arguments.as_str()), ("c1", "{}"));
    assert_eq!(call.extras, [extra("extra_content", "1")]);
    let Content::ToolResult(result) = &request.messages[1].parts[0].content else {
        panic!("a result");
    };
    assert_eq!((result.id.as_str(), result.name.as_str()), ("c1", "f"));
    assert_eq!(result.content, [ToolContent::Text("snow".to_owned())]);
}

#[test]
fn bytes_are_taken_out_of_the_text_and_described() {
    let parts = json!([
        { "type": "image_url", "image_url": { "url": "data:image/png;base64,AAEC", "detail": "high" } },
        { "type": "input_audio", "input_audio": { "data": "AAEC", "format": "mp3" } },
        { "type": "file", "file": { "filename": "a.pdf", "file_data": "data:application/pdf;base64,AAEC" } },
        { "type": "file", "file": { "file_id": "file-1" } },
        { "type": "video_url", "video_url": { "url": "https://x.example" } },
    ]);
    let body = json!({ "messages": [{ "role": "user", "content": parts }] });
    let call = read(&body).unwrap();

    let parts = &call.request.messages[0].parts;
    let Content::Image(image) = &parts[0].content else { panic!("a picture") };
    assert_eq!(
        (image.id.as_str(), image.media_type.as_str(), image.size),
        ("blob-1", "image/png", 3)
    );
    assert_eq!(parts[0].extras, [extra("detail", r#""high""#)]);
    assert!(matches!(&parts[1].content, Content::Audio(blob) if blob.media_type == "audio/mpeg"));
    let named = |blob: &sluice_chat::request::BlobRef| blob.name.as_deref() == Some("a.pdf");
    assert!(matches!(&parts[2].content, Content::Document(blob) if named(blob)));
    assert!(matches!(&parts[3].content, Content::Other(part) if part.value.contains("file-1")));
    assert!(matches!(&parts[4].content, Content::Other(part) if part.key == "video_url"));
    assert_eq!(call.blobs.len(), 3);
    assert!(call.blobs.iter().all(|blob| blob.bytes == [0, 1, 2]));
    let whole = read(&json!({})).unwrap();
    assert!(!format!("{:?}", call.request).contains("AAEC"));
    assert!(whole.text_bytes > 0 && call.text_bytes < 700);
}

#[test]
fn what_is_wrong_is_told_with_its_path_and_without_its_value() {
    let messages = |message: Value| json!({ "messages": [message] });
    let table = [
        (json!({ "n": 3 }), "n: is not supported here; one answer is given to each call."),
        (
            json!({ "modalities": ["audio"] }),
            "modalities: is not supported here; answers are text.",
        ),
        (
            messages(json!({ "role": "function", "content": "x" })),
            "messages[0].role: is not supported here; the role tool took its place.",
        ),
        (
            messages(json!({ "role": "tool", "content": "x" })),
            "messages[0].tool_call_id: is required.",
        ),
        (
            messages(json!({ "role": "user", "content": 5 })),
            "messages[0].content: text or a list of parts is expected.",
        ),
        (messages(json!("secret")), "messages[0]: a JSON object is expected."),
        (
            json!({ "tool_choice": "secret" }),
            "tool_choice: auto, none, required, or an object that names a function is expected.",
        ),
        (json!({ "stream": "secret" }), "stream: true or false is expected."),
        (
            json!({ "response_format": { "type": "json_schema", "json_schema": {} } }),
            "response_format.json_schema.schema: a JSON schema is expected.",
        ),
    ];
    for (more, expected) in table {
        let refused = read(&more).unwrap_err();
        assert_eq!(refused.message(), expected);
    }
    for body in [&b"\xff"[..], b"", b"[]", b"{\"model\":\"\\ud800\"", b"{} {}"] {
        assert_eq!(
            ChatCall::parse(body).unwrap_err().message(),
            "The body: a JSON object is expected."
        );
    }
}

#[test]
fn a_body_of_nothing_but_tiny_things_is_refused() {
    let messages = vec![json!({ "role": "user", "content": "" }); 50_000];
    assert_eq!(read(&json!({ "messages": messages })).unwrap_err().fault, Fault::TooMany);
    let deep = format!(r#"{{"model":"m","x":{}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert!(ChatCall::parse(deep.as_bytes()).is_err());
}

/// JSON that looks like a request often enough.
fn json_value() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(vec![
        "user",
        "assistant",
        "tool",
        "text",
        "image_url",
        "function",
        "json_schema",
        "auto",
        "data:image/png;base64,AA==",
        "data:",
        "https://x",
        "file",
        "input_audio",
        "",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word.prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    let key = prop::sample::select(vec![
        "model",
        "messages",
        "role",
        "content",
        "type",
        "text",
        "image_url",
        "url",
        "tool_calls",
        "tool_call_id",
        "id",
        "function",
        "name",
        "arguments",
        "tools",
        "tool_choice",
        "stop",
        "response_format",
        "json_schema",
        "schema",
        "stream_options",
        "file",
        "file_data",
        "input_audio",
        "data",
        "format",
        "x",
    ]);
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..6).prop_map(|fields| {
                Value::Object(fields.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
            }),
        ]
    })
}

proptest! {
    /// Nothing that anybody sends makes it panic, and what is taken refers to blobs that are there.
    #[test]
    fn any_json_is_taken_or_refused(messages in json_value(), more in json_value()) {
        let mut body = json!({ "model": "m", "messages": [messages] });
        if let Value::Object(fields) = more {
            for (key, value) in fields {
                if key != "messages" { body[key] = value; }
            }
        }
        if let Ok(call) = ChatCall::parse(body.to_string().as_bytes()) {
            let parts = call.request.messages.iter().flat_map(|message| &message.parts);
            for part in parts {
                if let Content::Image(blob) | Content::Audio(blob) | Content::Document(blob) = &part.content {
                    let kept = call.blobs.iter().any(|kept| kept.id == blob.id && kept.bytes.len() as u64 == blob.size);
                    prop_assert!(kept || blob.url.is_some());
                }
            }
            for extra in &call.request.extras {
                prop_assert!(serde_json::from_str::<Value>(&extra.value).is_ok());
            }
        }
    }

    /// Nor does anything that is no JSON.
    #[test]
    fn any_bytes_are_taken_or_refused(body in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(ChatCall::parse(&body).is_err());
    }
}
