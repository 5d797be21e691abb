use serde_json::{Value, json};
use sluice_sdk::{
    BlobRef, Content, Extra, FunctionDef, Message, Part, Piece, Reasoning, Role, SchemaFormat,
    ToolCall, ToolContent, ToolDef, ToolResult,
};

use super::*;
use crate::settings::MaxTokensField;

/// The body as the upstream reads it, with `<id>` for the bytes of a blob.
fn written(settings: &Settings, chat: &ChatRequest) -> Value {
    let Ok(Body::Json(pieces)) = body(settings, chat) else { panic!("{chat:?}") };
    let texts = pieces.into_iter().map(|piece| match piece {
        Piece::Text(text) => text,
        Piece::BlobBase64(id) => format!("<{id}>"),
    });
    serde_json::from_str(&texts.collect::<String>()).expect("JSON")
}

fn messages(said: Vec<Message>, settings: &Settings) -> Value {
    let chat = ChatRequest { messages: said, ..ChatRequest::new("m") };
    written(settings, &chat)["messages"].clone()
}

fn message(role: Role, contents: Vec<Content>) -> Message {
    let part = |content| Part { content, extras: Vec::new() };
    Message { parts: contents.into_iter().map(part).collect(), ..Message::of(role, "") }
}

fn text(text: &str) -> Content {
    Content::Text(text.to_owned())
}

fn blob(id: &str, media_type: &str) -> BlobRef {
    BlobRef { id: id.to_owned(), media_type: media_type.to_owned(), size: 3, url: None, name: None }
}

fn call() -> Content {
    Content::ToolCall(ToolCall {
        id: "c1".to_owned(),
        name: "weather".to_owned(),
        arguments: r#"{"city":"Bonn"}"#.to_owned(),
        extras: Vec::new(),
    })
}

fn result(content: Vec<ToolContent>) -> Content {
    let (id, name) = ("c1".to_owned(), "weather".to_owned());
    Content::ToolResult(ToolResult { id, name, content, is_error: false })
}

fn extra(key: &str, value: &str) -> Extra {
    Extra { key: key.to_owned(), value: value.to_owned() }
}

#[test]
fn a_plain_chat_is_a_small_body() {
    let chat = ChatRequest {
        messages: vec![Message::of(Role::System, "Be kind."), Message::of(Role::User, "Hi")],
        ..ChatRequest::new("gpt-x")
    };

    let expected = json!({
        "model": "gpt-x",
        "messages": [
            { "role": "system", "content": "Be kind." },
            { "role": "user", "content": "Hi" },
        ],
        "stream": true,
        "stream_options": { "include_usage": true },
    });
    assert_eq!(written(&Settings::default(), &chat), expected);
}

#[test]
fn every_option_has_its_field() {
    let chat = ChatRequest {
        temperature: Some(0.5),
        top_p: Some(1.0),
        max_output_tokens: Some(9),
        stop: vec!["a".to_owned()],
        seed: Some(-1),
        user: Some("u".to_owned()),
        stream: false,
        format: OutputFormat::JsonSchema(SchemaFormat {
            name: None,
            schema: r#"{"type":"object"}"#.to_owned(),
            strict: Some(true),
        }),
        tools: vec![
            ToolDef::Function(FunctionDef {
                name: "f".to_owned(),
                description: Some("d".to_owned()),
                parameters: r#"{"type":"object"}"#.to_owned(),
                extras: vec![extra("strict", "true")],
            }),
            ToolDef::Vendor(r#"{"type":"web_search"}"#.to_owned()),
        ],
        tool_choice: ToolChoice::Named("f".to_owned()),
        ..ChatRequest::new("m")
    };

    let expected = json!({
        "model": "m",
        "messages": [],
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "f",
                    "description": "d",
                    "parameters": { "type": "object" },
                    "strict": true,
                },
            },
            { "type": "web_search" },
        ],
        "tool_choice": { "type": "function", "function": { "name": "f" } },
        "temperature": 0.5,
        "top_p": 1.0,
        "max_tokens": 9,
        "stop": ["a"],
        "seed": -1,
        "response_format": {
            "type": "json_schema",
            "json_schema": {
                "name": "response",
                "schema": { "type": "object" },
                "strict": true,
            },
        },
        "user": "u",
        "stream": false,
    });
    assert_eq!(written(&Settings::default(), &chat), expected);
}

#[test]
fn what_the_client_added_is_passed_on_but_for_what_is_ours() {
    let chat = ChatRequest {
        max_output_tokens: Some(9),
        temperature: Some(0.5),
        extras: vec![
            extra("top_k", "40"),
            extra("n", "3"),
            extra("stream_options", "{}"),
            extra("max_tokens", "1"),
            extra("temperature", "2"),
        ],
        ..ChatRequest::new("m")
    };
    let settings = Settings {
        max_tokens_field: MaxTokensField::MaxCompletionTokens,
        stream_usage: false,
        ..Settings::default()
    };

    let expected = json!({
        "model": "m",
        "messages": [],
        "temperature": 0.5,
        "max_completion_tokens": 9,
        "stream": true,
        "top_k": 40,
    });
    assert_eq!(written(&settings, &chat), expected);
}

#[test]
fn pictures_go_by_link_or_as_bytes_the_host_puts_in() {
    let linked = BlobRef { url: Some("https://a/b.png".to_owned()), ..blob("b2", "image/png") };
    let mut said = message(
        Role::User,
        vec![text("See"), Content::Image(blob("b1", "image/png")), Content::Image(linked)],
    );
    said.parts[1].extras = vec![extra("detail", "\"low\""), extra("cache_control", "{}")];

    let expected = json!([{ "role": "user", "content": [
        { "type": "text", "text": "See" },
        {
            "type": "image_url",
            "image_url": { "url": "data:image/png;base64,<b1>", "detail": "low" },
            "cache_control": {},
        },
        { "type": "image_url", "image_url": { "url": "https://a/b.png" } },
    ]}]);
    assert_eq!(messages(vec![said], &Settings::default()), expected);
}

#[test]
fn sound_documents_and_a_vendors_own_parts_have_their_shapes() {
    let document = BlobRef { name: Some("a.pdf".to_owned()), ..blob("b2", "application/pdf") };
    let contents = vec![
        Content::Audio(blob("b1", "audio/mpeg")),
        Content::Document(document),
        Content::Other(extra("video", r#"{"type":"video","id":1}"#)),
    ];

    let expected = json!([{ "role": "user", "content": [
        { "type": "input_audio", "input_audio": { "data": "<b1>", "format": "mp3" } },
        { "type": "file", "file": {
            "filename": "a.pdf",
            "file_data": "data:application/pdf;base64,<b2>",
        } },
        { "type": "video", "id": 1 },
    ]}]);
    assert_eq!(messages(vec![message(Role::User, contents)], &Settings::default()), expected);
}

#[test]
fn calls_and_their_results_become_messages_of_their_own() {
    let said = vec![
        message(Role::Assistant, vec![call()]),
        message(Role::Tool, vec![result(vec![ToolContent::Text("sun".to_owned())])]),
        message(
            Role::User,
            vec![
                text("And?"),
                result(vec![
                    ToolContent::Text("a".to_owned()),
                    ToolContent::Image(blob("b1", "image/png")),
                ]),
            ],
        ),
    ];

    let expected = json!([
        { "role": "assistant", "content": null, "tool_calls": [{
            "id": "c1",
            "type": "function",
            "function": { "name": "weather", "arguments": "{\"city\":\"Bonn\"}" },
        }]},
        { "role": "tool", "tool_call_id": "c1", "content": "sun" },
        { "role": "tool", "tool_call_id": "c1", "content": [
            { "type": "text", "text": "a" },
            { "type": "image_url", "image_url": { "url": "data:image/png;base64,<b1>" } },
        ]},
        { "role": "user", "content": "And?" },
    ]);
    assert_eq!(messages(said, &Settings::default()), expected);
}

#[test]
fn reasoning_is_sent_back_only_where_it_is_wanted() {
    let thought = Reasoning { text: "Hm.".to_owned(), signature: None };
    let said = vec![message(Role::Assistant, vec![Content::Reasoning(thought), text("Yes.")])];
    let wanted = Settings { send_reasoning: true, ..Settings::default() };

    let without = json!([{ "role": "assistant", "content": "Yes." }]);
    let with = json!([
        { "role": "assistant", "content": "Yes.", "reasoning_content": "Hm." }
    ]);
    assert_eq!(messages(said.clone(), &Settings::default()), without);
    assert_eq!(messages(said, &wanted), with);
}

#[test]
fn a_vendor_without_developers_gets_their_words_as_the_systems() {
    let said = vec![Message { name: Some("ops".to_owned()), ..Message::of(Role::Developer, "x") }];
    let without = Settings { developer_role: false, ..Settings::default() };

    let role = |settings: &Settings| messages(said.clone(), settings)[0]["role"].clone();
    assert_eq!(role(&Settings::default()), "developer");
    assert_eq!(role(&without), "system");
    assert_eq!(messages(said.clone(), &without)[0]["name"], "ops");
}

#[test]
fn a_tool_that_says_something_else_is_refused() {
    let chat =
        ChatRequest { messages: vec![Message::of(Role::Tool, "sun")], ..ChatRequest::new("m") };

    assert!(body(&Settings::default(), &chat).is_err());
}
