//! Notifiers: telling somebody, in two pure functions.

use serde::de::DeserializeOwned;

use crate::{Context, Head, Notice, Request};

/// Tells somebody of help requests and alarms. The gateway stores what is to be told, holds it to a rate, and tries again for a day.
///
/// ```
/// use serde::Deserialize;
/// use serde_json::json;
/// use sluice_sdk::{Context, Notice, Notifier, Request};
///
/// #[derive(Default, Deserialize)]
/// #[serde(default, deny_unknown_fields)]
/// struct Settings {
///     room: String,
/// }
///
/// struct Pager;
///
/// impl Notifier for Pager {
///     type Settings = Settings;
///
///     fn render(cx: &Context<Settings>, notice: &Notice) -> Option<Request> {
///         let page = json!({ "room": cx.settings.room, "words": notice.title, "once": notice.id });
///         Request::post("/page").json(&page).ok()
///     }
/// }
///
/// sluice_sdk::notifier!(Pager);
/// ```
pub trait Notifier: 'static {
    /// Settings of the plugin's configuration. `null` and `{}` are `Default`. What cannot be read is refused when the plugin is loaded.
    type Settings: DeserializeOwned + Default + 'static;

    /// What to send; none for what this receiver need not know. Called again at every try, with the same `id`.
    fn render(cx: &Context<Self::Settings>, notice: &Notice) -> Option<Request>;

    /// Whether the receiver took it: by default any status from 200 to 299. False is tried again later.
    fn accepted(_: &Context<Self::Settings>, head: &Head, _body: &str) -> bool {
        (200..300).contains(&head.status)
    }
}

/// Makes a [`Notifier`] the plugin of this crate.
#[macro_export]
macro_rules! notifier {
    ($notifier:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type Exported = $crate::export::ExportedNotifier<$notifier>;
            $crate::bindings::export_lifecycle!(Exported with_types_in $crate::bindings);
            $crate::bindings::notice::export_notifier!(Exported with_types_in $crate::bindings::notice);
        };
    };
}

impl Notice {
    /// What it is about, by that name.
    pub fn about(&self, name: &str) -> Option<&str> {
        let about = self.about.iter().find(|field| field.name == name);
        about.map(|field| field.value.as_str())
    }
}
