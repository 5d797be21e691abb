//! What a plugin asks its operator for.

/// Puts into the component what the plugin asks its operator for: TOML, in one literal. At most once in a plugin.
///
/// A plugin without it asks for the endpoint `api` and the secret `api_key`, and for no more than any plugin has. With it, what is not
/// named is not asked for, and each endpoint that is named has to be configured.
/// `sluice plugin inspect` shows it. A plugin that asks for more than its operator granted is not loaded.
///
/// | Key | Meaning |
/// |---|---|
/// | `endpoints` | names of hosts it speaks to |
/// | `secrets` | names of secrets that go with its requests |
/// | `response_headers` | headers it reads beyond content type, `retry-after…`, `…ratelimit-…` and `…request-id` |
/// | `limits.NAME` | `memory = "8MiB"`, `step = "40ms"` …: what it gets along with, less or more than any plugin has |
///
/// ```
/// sluice_sdk::manifest!(
///     r#"
///     endpoints = ["api"]
///     secrets = ["api_key"]
///     response_headers = ["x-cost"]
///     limits = { step = "40ms" }
///     "#
/// );
/// ```
#[macro_export]
macro_rules! manifest {
    ($toml:literal) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            const TEXT: &str = $toml;
            #[used]
            #[unsafe(link_section = "sluice:manifest")]
            static MANIFEST: [u8; TEXT.len()] = match TEXT.as_bytes().first_chunk() {
                Some(bytes) => *bytes,
                None => [0; TEXT.len()],
            };
        };
    };
}
