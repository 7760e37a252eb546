//! The derive macro of message types. It is documented and re-exported with the trait, by
//! `stele-toolkit-envelope`.

mod attributes;
mod expand;

use proc_macro::TokenStream;

/// Derives `Message`.
#[proc_macro_derive(Message, attributes(message))]
pub fn derive_message(input: TokenStream) -> TokenStream {
    let expanded = syn::parse(input).and_then(|input| expand::message(&input));
    expanded
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}
