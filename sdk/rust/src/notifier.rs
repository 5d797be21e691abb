//! Notifiers: telling somebody that a user asks for help, or that something is wrong.

use serde::de::DeserializeOwned;

use crate::{Context, Error, Head, Notice, Request};

/// Tells somebody, in two pure functions. The gateway stores what is to be told, keeps it within its rate, sends what is rendered,
/// and tries again until it is accepted or a day is over.
pub trait Notifier: 'static {
    /// Settings of the plugin's configuration. `null` and `{}` are `Default`. What cannot be read is refused when the plugin is loaded.
    type Settings: DeserializeOwned + Default + 'static;

    /// What to send, to which of the operator's endpoints; none for what this receiver need not know, which is not tried again.
    /// An error is logged and counts as a try that failed.
    fn render(cx: &Context<Self::Settings>, notice: &Notice) -> Result<Option<Request>, Error>;

    /// Whether the receiver took it; by default any status 2xx says so. `body` holds what it answered, of a refusal at most 64 KiB.
    fn accepted(_cx: &Context<Self::Settings>, head: &Head, _body: &str) -> bool {
        head.is_success()
    }
}

/// Exports a type that implements [`Notifier`] as the plugin.
///
/// ```
/// use serde::Serialize;
/// use sluice_sdk::{Context, Error, Notice, Notifier, Request};
///
/// #[derive(Serialize)]
/// struct Page<'a> {
///     summary: &'a str,
/// }
///
/// struct Pager;
///
/// impl Notifier for Pager {
///     type Settings = ();
///
///     fn render(_: &Context<()>, notice: &Notice) -> Result<Option<Request>, Error> {
///         Request::post("/page").json(&Page { summary: &notice.title }).map(Some)
///     }
/// }
///
/// sluice_sdk::notifier!(Pager);
/// ```
#[macro_export]
macro_rules! notifier {
    ($notifier:ty) => {
        const _: fn() = || {
            fn is_notifier<N: $crate::Notifier>() {}
            is_notifier::<$notifier>();
        };
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type Exported = $crate::export::ExportedNotifier<$notifier>;
            $crate::bindings::export_lifecycle!(Exported with_types_in $crate::bindings);
            $crate::bindings::notice::export_notifier!(Exported with_types_in $crate::bindings::notice);
        };
    };
}
