//! The comfortable layer: one request, its frames, its failure.

use serde::de::DeserializeOwned;

use crate::{ChatRequest, Context, Error, Events, Frame, Head, Request};

/// Whether an answer goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// More frames are expected.
    More,
    /// Complete; what the upstream sends after it is not read.
    Done,
}

/// A vendor that answers a chat with one HTTP exchange, perhaps after a few that make it ready. A fresh value is made for each answer.
pub trait Provider: Default + 'static {
    /// Settings of the plugin's configuration. `null` and `{}` are `Default`.
    type Settings: DeserializeOwned + Default + 'static;

    /// What has to be sent before the chat can be asked, such as an upload of its files: at most 5 requests, each sent when the one
    /// before it was answered. Whatever framing they name, their answers come whole.
    fn before(
        &mut self,
        _cx: &Context<Self::Settings>,
        _chat: &ChatRequest,
    ) -> Result<Vec<Request>, Error> {
        Ok(Vec::new())
    }

    /// The body of a 2xx response to the next request of [`before`](Self::before). Any other status goes to
    /// [`failure`](Self::failure).
    fn prepared(&mut self, _cx: &Context<Self::Settings>, _body: &str) -> Result<(), Error> {
        Ok(())
    }

    /// The request that asks for this chat.
    fn request(
        &mut self,
        cx: &Context<Self::Settings>,
        chat: &ChatRequest,
    ) -> Result<Request, Error>;

    /// One frame of a 2xx response.
    fn frame(
        &mut self,
        cx: &Context<Self::Settings>,
        frame: &Frame,
        events: &mut Events,
    ) -> Result<Flow, Error>;

    /// The head of a 2xx response, before its first frame.
    fn head(&mut self, _cx: &Context<Self::Settings>, _head: &Head) -> Result<(), Error> {
        Ok(())
    }

    /// The orderly end of the body, for vendors whose end is the end of the body: say [`Events::finish`] here.
    /// Where neither this nor a frame did, the answer fails.
    fn end(&mut self, _cx: &Context<Self::Settings>, _events: &mut Events) -> Result<(), Error> {
        Ok(())
    }

    /// A response that is not 2xx. `body` holds at most 64 KiB of it. By itself this is what the body tells in the words that
    /// vendors use, else what the status and `retry-after` do.
    fn failure(&mut self, cx: &Context<Self::Settings>, head: &Head, body: &str) -> Error {
        Error::told_by_response(head, body, cx.now_ms)
    }
}

/// What a response that is not 2xx comes to.
pub(crate) fn failed<P: Provider>(
    provider: &mut P,
    cx: &Context<P::Settings>,
    head: &Head,
    body: &str,
) -> Error {
    let error = provider.failure(cx, head, body);
    let status = error.status.or(Some(head.status));
    Error { status, ..error }
}

/// Exports a type that implements [`Provider`] as the plugin; with `: Embed`, `: Models` or both one that implements
/// [`Embed`](crate::Embed) and [`Models`](crate::Models) too.
#[macro_export]
macro_rules! provider {
    ($provider:ty $(: $($more:ident),+)?) => {
        impl $crate::Plugin for $provider {
            type Answer = $crate::Machine<$provider>;
        }
        $crate::__export!($provider $($(, $more)+)?);
    };
}
