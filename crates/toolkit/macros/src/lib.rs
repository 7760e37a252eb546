//! The derive macro of message types. It is documented and re-exported with the trait, by
//! `stele-toolkit-envelope` and, in the form that finds the trait there, by `stele-toolkit`.

mod attributes;
mod expand;

use proc_macro::TokenStream;

/// Derives `Message`.
#[proc_macro_derive(Message, attributes(message))]
pub fn derive_message(input: TokenStream) -> TokenStream {
    derive(input, "stele_toolkit_envelope")
}

/// Derives `Message`, for programs that depend on the facade alone.
#[proc_macro_derive(FacadeMessage, attributes(message))]
pub fn derive_message_of_facade(input: TokenStream) -> TokenStream {
    derive(input, "stele_toolkit")
}

/// `library` has the trait, unless the type says that another crate does.
fn derive(input: TokenStream, library: &str) -> TokenStream {
    let expanded = syn::parse(input).and_then(|input| expand::message(&input, library));
    expanded
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}
