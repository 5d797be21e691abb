//! Write a plugin for the Sluice gateway.
//!
//! A provider plugin translates between the gateway's chat vocabulary and one vendor's HTTP API. It opens no socket, sees no key
//! and waits for nothing: it says which [`Request`] it wants sent and reads the [`Frame`]s that come back.
//! Most vendors take one type with three short methods:
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use sluice_sdk::{ChatRequest, Context, Error, Events, Flow, Frame, Provider, Request};
//!
//! /// What the operator may set. `null` and `{}` are `Settings::default()`.
//! #[derive(Default, Deserialize)]
//! #[serde(default, deny_unknown_fields)]
//! struct Settings {
//!     safe_mode: bool,
//! }
//!
//! #[derive(Serialize)]
//! struct Ask<'a> {
//!     model: &'a str,
//!     prompt: String,
//!     safe_mode: bool,
//! }
//!
//! #[derive(Deserialize)]
//! struct Piece {
//!     #[serde(default)]
//!     text: String,
//!     finished: Option<String>,
//! }
//!
//! /// One answer of one vendor. A fresh value is made for each answer.
//! #[derive(Default)]
//! struct Acme;
//!
//! impl Provider for Acme {
//!     type Settings = Settings;
//!
//!     /// What to send. Host, base path and key come from the operator's configuration.
//!     fn request(&mut self, cx: &Context<Settings>, chat: &ChatRequest) -> Result<Request, Error> {
//!         let prompt = chat.last_user_text();
//!         Request::post("/v1/generate").json(&Ask {
//!             model: &chat.model,
//!             prompt,
//!             safe_mode: cx.settings.safe_mode,
//!         })
//!     }
//!
//!     /// What one frame of the answer means.
//!     fn frame(
//!         &mut self,
//!         _: &Context<Settings>,
//!         frame: &Frame,
//!         events: &mut Events,
//!     ) -> Result<Flow, Error> {
//!         let piece: Piece = frame.json()?;
//!         events.text(piece.text);
//!         match piece.finished.as_deref() {
//!             None => Ok(Flow::More),
//!             Some(reason) => {
//!                 events.finish(reason);
//!                 Ok(Flow::Done)
//!             }
//!         }
//!     }
//! }
//!
//! sluice_sdk::provider!(Acme);
//! ```
//!
//! Build it as a `cdylib` for `wasm32-unknown-unknown`; natively the same crate compiles for unit tests, and `sluice-testkit`
//! replays recorded exchanges against it.
//!
//! The guides in `docs/plugins` of the repository begin before this page: a tutorial for each kind of plugin, a cookbook, and what
//! was recorded of each vendor.
//!
//! # What the SDK sees to
//!
//! [`Machine`] drives a [`Provider`] and keeps its answers true:
//!
//! - A body that ends before the provider called [`Events::finish`] is an error, never an end. So is [`Flow::Done`] without it.
//! - A response that is not 2xx goes to [`Provider::failure`], which by default reads the words that vendors use, status and
//!   `retry-after`.
//! - A broken connection is an error of the right kind, whatever was said before.
//! - The end of the answer is said once and last, however often and early the provider says it.
//! - Settings that cannot be read fail when the plugin is loaded.
//! - A panic is logged before it ends the answer.
//!
//! # Policies and notifiers
//!
//! A [`Policy`] judges: it has those of the hooks [`OnConnect`], [`OnMessage`], [`OnOutput`], [`OnAdmin`] and [`OnUsage`] that it
//! hands to [`policy!`]. A [`Notifier`] tells somebody: it says what is to be sent of a [`Notice`], and whether that was taken.
//!
//! # Names
//!
//! Two names join a plugin to the operator's configuration: [`Request`] asks for the endpoint `api`
//! and the auth scheme `bearer` unless told otherwise.
//!
//! # Vectors
//!
//! A vendor that embeds texts too implements [`Embed`] beside [`Provider`], and says so: `sluice_sdk::provider!(Acme: Embed)`.
//!
//! # Models
//!
//! One that tells which models it has implements [`Models`], and says that too: `sluice_sdk::provider!(Acme: Embed, Models)`. Operators
//! read the list with `sluice plugin models`.
//!
//! # Memory
//!
//! A plugin has an allocator from here, made for instances that live as long as one call. One that brings its own leaves out the feature
//! `heap`.
//!
//! # What vendors share
//!
//! What a second vendor was seen to do is here already:
//!
//! | To read | To write |
//! |---|---|
//! | [`Frame::told`]: keep-alives and error events told apart | [`JsonObject::objects`], [`JsonObject::each`]: lists that are left out when empty |
//! | [`open_object!`], [`Events::standing`]: known fields read, unknown ones kept and told | [`ChatRequest::extras_but`], [`JsonObject::extras`]: what the client wrote beside it |
//! | [`TextOrParts`], [`Events::content`]: text in either shape | [`JsonObject::text_or_list`], [`JsonArray::text_part`]: the same |
//! | [`ToolPiece`], [`Events::tool_piece`], [`Events::whole_tool_call`]: calls put together | [`JsonObject::function_tools`], [`FunctionDef::schema`], [`ToolCall::arguments_object`]: tools |
//! | [`TokenCount`], [`Usage::update`], [`Usage::with_cached_in_input`]: tokens | [`JsonObject::blob_url`], [`JsonObject::data_url`]: files |
//! | [`FinishReason`] from any vendor's word, [`Events::usual_end`] for those without | [`ChatRequest::instructions`], [`ChatRequest::turns`], [`Message::by_kind`]: the conversation |
//! | [`Error::told`], [`Error::told_in_stream`], [`Error::told_by_response`]: failures | [`AuthScheme`]: how the key goes |
//!
//! # Odd vendors
//!
//! What polls or answers without a network implements [`Answer`], the layer below, and exports it with
//! [`answer!`]. There is no async, no clock and no randomness in a plugin: [`Context::now_ms`] and [`Context::seed`] are given.

mod answer;
#[doc(hidden)]
pub mod bindings;
mod body;
mod chat;
mod context;
mod embedding;
mod error;
mod events;
#[doc(hidden)]
pub mod export;
mod finish;
mod frame;
mod head;
#[cfg(all(target_arch = "wasm32", feature = "heap"))]
mod heap;
mod http_date;
mod instant;
pub mod log;
mod machine;
mod manifest;
mod models;
mod notice;
mod notifier;
mod open_object;
mod policy;
mod provider;
mod request;
mod retry_after;
mod shapes;
mod text_or_parts;
mod told;
mod tool_piece;
mod usage;
mod who;

pub use answer::{Answer, Plugin};
pub use bindings::{
    admin::exports::sluice::plugin::on_admin::AdminAction,
    connect::sluice::plugin::policy_types::{
        Decision, Denial, Effect, Principal, Reservation, Scope, Subject, Verdict, Window,
    },
    embedding::exports::sluice::plugin::embedding::{Embedded, EmbeddingRequest, Passage},
    message::exports::sluice::plugin::on_message::{
        Edit, Replacement, ResultOfMessage as MessageDecision,
    },
    notice::exports::sluice::plugin::notifier::{Notice, Severity},
    output::exports::sluice::plugin::on_output::{Channel, Judged, OutputVerdict, Span},
    provider::exports::sluice::plugin::provider::{Directive, Input, Output},
    provider::sluice::plugin::{
        chat::{
            BlobRef, ChatEvent, ChatRequest, Content, FinishReason, FunctionDef, Message,
            OutputFormat, Part, Reasoning, Role, SchemaFormat, ToolCall, ToolChoice, ToolContent,
            ToolDef, ToolDelta, ToolResult,
        },
        http::{
            Auth, Body, FormPart, FormValue, Frame, Framing, Head, Method, Piece, Request,
            TransportFailure,
        },
    },
    sluice::plugin::types::{ErrorKind, Extra, Field, PluginError as Error, RetryHint, Usage},
    usage::exports::sluice::plugin::on_usage::{
        Outcome, ResultOfUsage as UsageDecision, Settlement,
    },
};
pub use body::{JsonArray, JsonBody, JsonObject};
pub use chat::{ByKind, Speaker, Turn};
pub use context::Context;
pub use embedding::{Embed, Vector};
pub use events::Events;
pub use frame::read_json;
pub use instant::rfc3339;
pub use machine::Machine;
pub use models::Models;
pub use notifier::Notifier;
pub use policy::{
    Filtering, Hooks, Judge, OnAdmin, OnConnect, OnMessage, OnOutput, OnUsage, Policy,
};
pub use provider::{Flow, Provider};
pub use request::{AuthScheme, DEFAULT_ENDPOINT, DEFAULT_SCHEME, SIGNATURE};
pub use retry_after::retry_after_ms;
pub use shapes::Plain;
pub use text_or_parts::{SaidPart, TextOrParts};
pub use tool_piece::ToolPiece;
pub use usage::{CompletionDetails, PromptDetails, TokenCount};
pub use who::{Network, When, Who};

#[doc(hidden)]
pub use open_object::FieldName as __FieldName;
/// For macros.
#[doc(hidden)]
pub use serde as __serde;
