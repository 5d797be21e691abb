//! Reading a response's head.

use crate::Head;

impl Head {
    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The first header of this name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name))?;
        Some(found.value.trim())
    }
}
