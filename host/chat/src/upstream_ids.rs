//! What an upstream calls an answer and the conversation it belongs to, as one short text for the archive.

/// Longest id that is kept, in bytes.
const MOST_BYTES: usize = 200;

/// Ids of the upstream's. What is longer than 200 bytes or not visible ASCII is not kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UpstreamIds {
    /// Of the answer: what the vendor's support asks for.
    pub request: Option<String>,
    /// Of the conversation, for upstreams that keep it themselves. It belongs to one model.
    conversation: Option<String>,
    /// The plugin that told it: no other knows the conversation.
    plugin: Option<String>,
}

impl UpstreamIds {
    /// Under which the first message that the conversation has not heard carries its handle to a plugin.
    pub const CONVERSATION_KEY: &str = "x-upstream-conversation";

    /// Takes note of an id by its name in the plugin contract, told by a plugin. Names of no use here pass by.
    pub fn note(&mut self, name: &str, id: String, plugin: &str) {
        let fits = (1..=MOST_BYTES).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic());
        match name {
            "request" if fits => self.request = Some(id),
            "conversation" if fits && !id.contains(['"', '\\']) => {
                (self.conversation, self.plugin) = (Some(id), Some(plugin.to_owned()));
            }
            _ => {}
        }
    }

    /// The conversation, if this plugin told it.
    pub fn conversation_with(self, plugin: &str) -> Option<String> {
        self.conversation.filter(|_| self.plugin.as_deref() == Some(plugin))
    }

    /// All of it, parted by spaces, which no id holds. None when there is none.
    pub fn to_text(&self) -> Option<String> {
        let (request, plugin) = (self.request.as_deref(), self.plugin.as_deref());
        match &self.conversation {
            None => self.request.clone(),
            Some(conversation) => {
                let (request, plugin) = (request.unwrap_or_default(), plugin.unwrap_or_default());
                Some(format!("{request} {conversation} {plugin}"))
            }
        }
    }

    /// From such a text.
    pub fn parse(text: &str) -> Self {
        let mut ids = text.splitn(3, ' ').map(|id| Some(id.to_owned()).filter(|id| !id.is_empty()));
        let mut next = || ids.next().flatten();
        Self { request: next(), conversation: next(), plugin: next() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// What was noted is what is read again; what does not fit was not noted.
        #[test]
        fn ids_come_back_as_they_were_noted(
            request in proptest::option::of(".{0,300}"),
            conversation in proptest::option::of("[ -~]{0,210}"),
        ) {
            let mut ids = UpstreamIds::default();
            for (name, id) in [("request", request), ("conversation", conversation)] {
                if let Some(id) = id {
                    ids.note(name, id, "dify");
                }
            }

            let read = ids.to_text().map(|text| UpstreamIds::parse(&text)).unwrap_or_default();

            prop_assert_eq!(read, ids);
        }
    }

    #[test]
    fn a_conversation_is_known_to_the_plugin_that_told_it_alone() {
        let mut ids = UpstreamIds::default();
        ids.note("conversation", "c-1".to_owned(), "dify");

        assert_eq!(ids.clone().conversation_with("dify").as_deref(), Some("c-1"));
        assert_eq!(ids.conversation_with("other"), None);
    }

    #[test]
    fn a_name_of_no_use_is_not_kept() {
        let mut ids = UpstreamIds::default();

        ids.note("batch", "b-1".to_owned(), "dify");

        assert_eq!(ids.to_text(), None);
    }
}
