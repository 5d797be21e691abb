//! Clients in Python that others wrote, unchanged, against the gateway.

mod openai {
    crate::other_clients::stories! {
        OpenAiPython of official_client:
        it_chats_streams_and_lists_models,
        it_uses_tools_schemas_and_pictures,
        it_tells_failures_apart,
        leaving_a_stream_closes_the_upstream,
        its_own_timeout_closes_the_upstream,
    }
}

mod langchain {
    crate::other_clients::stories! {
        LangChain of other_clients:
        it_chats_streams_and_uses_tools,
        it_hears_of_a_failure,
        leaving_a_stream_closes_the_upstream,
        every_vendor_answers_it,
    }
}

mod llm {
    crate::other_clients::stories! {
        Llm of other_clients:
        it_chats_streams_and_uses_tools,
        it_hears_of_a_failure,
        leaving_a_stream_closes_the_upstream,
        every_vendor_answers_it,
    }
}
