//! What went wrong, by the words and codes that vendors use for it. They have taken each other's.

use serde::Deserialize;
use serde_json::Value;

use crate::{Error, ErrorKind, Head};

/// What is kept of the upstream's message, in bytes.
const MESSAGE_BYTES: usize = 400;

impl Error {
    /// What a response that is not 2xx means, by its body where that is JSON that tells, else by its status alone.
    pub fn told_by_response(head: &Head, body: &str, now_ms: u64) -> Self {
        let Some(told) = Told::read(body) else {
            return Self::from_response(head, body, now_ms);
        };
        told.error(Some(head.status)).with_pause(head, now_ms)
    }

    /// What an error in the middle of a stream means, from the frame's text.
    pub fn told_in_stream(body: &str) -> Self {
        match Told::read(body) {
            Some(told) => told.error(None),
            None => Self::new(ErrorKind::Other, "the upstream sent an error that cannot be read"),
        }
    }

    /// What the value of a field `error` means, in an answer of status 200.
    pub fn told(error: &Value) -> Self {
        Told::of(error).error(None)
    }
}

/// What the upstream told about its failure.
#[derive(Debug, Default, Deserialize)]
struct Told {
    message: Option<Value>,
    r#type: Option<Value>,
    code: Option<Value>,
    status: Option<Value>,
}

impl Told {
    /// From a body: `{"error": {…}}`, `{"error": "…"}`, or the inside alone; `None` when it tells nothing.
    fn read(body: &str) -> Option<Self> {
        let body: Value = serde_json::from_str(body).ok()?;
        // Some put everything in a list of one.
        let body = body.get(0).unwrap_or(&body);
        let told = Self::of(body.get("error").unwrap_or(body));
        let tells = told.message.is_some() || told.code.is_some() || told.r#type.is_some();
        tells.then_some(told)
    }

    fn of(error: &Value) -> Self {
        match error {
            Value::String(message) => {
                Self { message: Some(Value::String(message.clone())), ..Self::default() }
            }
            Value::Object(_) => Self::deserialize(error).unwrap_or_default(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => Self::default(),
        }
    }

    fn error(&self, status: Option<u16>) -> Error {
        // In a stream the status, if told at all, is the code.
        let status = status.or_else(|| self.code_as_status());
        let error = Error::new(self.kind(status), self.detail());
        Error { status, ..error }
    }

    /// Words first: they say more than the status, and proxies change statuses. `invalid_request_error` last: it is everybody's
    /// word for everything.
    fn kind(&self, status: Option<u16>) -> ErrorKind {
        let words = [&self.code, &self.r#type];
        let by_word = words.into_iter().flatten().filter_map(Value::as_str).find_map(kind_of_word);
        let by_status = || status.map(ErrorKind::of_status);
        match by_word.or_else(by_status) {
            Some(ErrorKind::InvalidRequest) | None if self.speaks_of_context() => {
                ErrorKind::ContextTooLong
            }
            Some(kind) => kind,
            None if self.type_is("invalid_request_error") => ErrorKind::InvalidRequest,
            None => ErrorKind::Other,
        }
    }

    /// Self-hosted servers have no code for this, only this sentence, which all took from the first one.
    fn speaks_of_context(&self) -> bool {
        let message = self.message.as_ref().and_then(Value::as_str).unwrap_or_default();
        let words = [
            "maximum context length",
            "context window",
            "prompt is too long",
            "context length",
            "context limit",
            "context size",
        ];
        words.iter().any(|words| message.contains(words))
    }

    fn type_is(&self, word: &str) -> bool {
        self.r#type.as_ref().and_then(Value::as_str) == Some(word)
    }

    fn code_as_status(&self) -> Option<u16> {
        [&self.code, &self.status].into_iter().flatten().find_map(|code| {
            let code = code.as_u64().or_else(|| code.as_str()?.parse().ok())?;
            u16::try_from(code).ok().filter(|code| (400..600).contains(code))
        })
    }

    fn detail(&self) -> String {
        let plain = |value: &Value| match value {
            Value::String(text) => text.clone(),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Array(_)
            | Value::Object(_) => value.to_string(),
        };
        let mut words: Vec<String> = Vec::new();
        for value in [&self.r#type, &self.code, &self.message].into_iter().flatten() {
            if !value.is_null() {
                words.push(plain(value));
            }
        }
        let mut detail = words.join(": ");
        detail.truncate(detail.floor_char_boundary(MESSAGE_BYTES));
        detail
    }
}

fn kind_of_word(word: &str) -> Option<ErrorKind> {
    Some(match word {
        "invalid_api_key" | "authentication_error" | "invalid_authentication_error" => {
            ErrorKind::Authentication
        }
        "permission_error"
        | "permission_denied"
        | "insufficient_permissions"
        | "unsupported_country_region_territory" => ErrorKind::Permission,
        "model_not_found" | "not_found_error" => ErrorKind::NotFound,
        "too_many_requests"
        | "rate_limit_exceeded"
        | "rate_limit_error"
        | "rate_limit_reached_error" => ErrorKind::RateLimited,
        "insufficient_quota"
        | "billing_error"
        | "billing_not_active"
        | "provider_quota_exceeded"
        | "billing_hard_limit_reached"
        | "insufficient_balance"
        | "exceeded_current_quota_error" => ErrorKind::QuotaExhausted,
        "context_length_exceeded" | "string_above_max_length" => ErrorKind::ContextTooLong,
        "content_filter" | "content_policy_violation" => ErrorKind::ContentBlocked,
        "api_error"
        | "server_error"
        | "internal_server_error"
        | "overloaded_error"
        | "service_unavailable"
        | "engine_overloaded_error" => ErrorKind::Overloaded,
        "timeout" | "timeout_error" => ErrorKind::Timeout,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
