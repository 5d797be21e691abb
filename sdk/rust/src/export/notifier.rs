//! Joins a [`Notifier`] to the generated bindings.

use std::marker::PhantomData;

use super::{configure, context};
use crate::{
    Error, Head, Notice, Notifier, Request,
    bindings::{
        exports::sluice::plugin::lifecycle, notice::exports::sluice::plugin::notifier as contract,
    },
};

/// The component that a notifier is exported as.
#[derive(Debug)]
pub struct ExportedNotifier<N>(PhantomData<N>);

impl<N: Notifier> lifecycle::Guest for ExportedNotifier<N> {
    fn configure(told: lifecycle::Context) -> Result<(), Error> {
        configure::<N::Settings>(told)
    }
}

impl<N: Notifier> contract::Guest for ExportedNotifier<N> {
    fn render(notice: Notice) -> Result<Option<Request>, Error> {
        N::render(&context(), &notice)
    }

    fn accepted(head: Head, body: String) -> bool {
        N::accepted(&context(), &head, &body)
    }
}
