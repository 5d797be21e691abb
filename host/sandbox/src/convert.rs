//! Between the contract's generated types and the chat's own: one function a type, no decisions but bounds on text for logs.

pub(crate) mod embedding;
pub(crate) mod input;
pub(crate) mod notice;
pub(crate) mod output;
pub(crate) mod policy;
pub(crate) mod question;
