//! The implementation that is derived.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::{
    Data, DeriveInput, Error, Member, Result, Token, punctuated::Punctuated, spanned::Spanned as _,
};

use crate::attributes::{Attributes, Upcast, Version};

/// The implementation of `Message` for a type. The trait is in the crate `library`, unless the type
/// says that it is elsewhere.
pub(crate) fn message(input: &DeriveInput, library: &str) -> Result<TokenStream> {
    if !input.generics.params.is_empty() {
        let message = "a message has one type, so its Rust type can't have parameters";
        return Err(Error::new_spanned(&input.generics, message));
    }
    let attributes = Attributes::of(&input.attrs)?;
    let missing = |name: &str, example: &str| {
        let message = format!("`{name}` is missing: #[message({name} = \"{example}\")]");
        Error::new_spanned(&input.ident, message)
    };
    let version = attributes.version.as_ref();
    let version = version.ok_or_else(|| missing("version", "1.0"))?;
    let topic = attributes.topic.as_ref();
    let topic = topic.ok_or_else(|| missing("topic", "order.created"))?;

    let library = match &attributes.library {
        Some(path) => generated(path.to_token_stream()),
        None => {
            let library = Ident::new(library, Span::call_site());
            quote!(::#library)
        }
    };
    let name = match &attributes.name {
        Some(name) => name.value(),
        None => input.ident.to_string(),
    };
    let version = version_of(version, &library);
    let aliases = &attributes.aliases;
    let upcasts = attributes.upcasts.iter().map(|it| upcast(it, &library));
    let key = match &attributes.key {
        Some(path) => key(path, input, &library)?,
        None => quote!(#library::Key::none()),
    };
    let ident = &input.ident;
    Ok(quote! {
        #[automatically_derived]
        impl #library::Message for #ident {
            const TYPE: &'static str = #name;
            const VERSION: #library::Version = #version;
            const TOPIC: &'static str = #topic;
            const ALIASES: &'static [&'static str] = &[#(#aliases),*];
            const UPCASTS: &'static [#library::Upcast] = &[#(#upcasts),*];

            fn key(&self) -> #library::Key {
                #key
            }
        }
    })
}

fn version_of(version: &Version, library: &TokenStream) -> TokenStream {
    let Version { major, minor, .. } = version;
    quote!(#library::Version::new(#major, #minor))
}

fn upcast(upcast: &Upcast, library: &TokenStream) -> TokenStream {
    let from = version_of(&upcast.from, library);
    let with = &upcast.with;
    quote!(#library::Upcast { from: #from, with: #with })
}

/// The key's expression. The compiler finds fields of fields; the first is looked for here, for the
/// sake of a better message.
fn key(
    path: &Punctuated<Member, Token![.]>,
    input: &DeriveInput,
    library: &TokenStream,
) -> Result<TokenStream> {
    let Data::Struct(data) = &input.data else {
        let message = "`key` names a field of a struct; implement `Message` for this type by hand";
        return Err(Error::new_spanned(path, message));
    };
    let first = &path[0];
    let fields: Vec<Member> = data.fields.members().collect();
    if !fields.contains(first) {
        let fields: Vec<String> = fields
            .iter()
            .map(|field| format!("`{}`", field.to_token_stream()))
            .collect();
        let message = match fields.as_slice() {
            [] => "there is no such field: the struct has none".to_owned(),
            fields => format!("there is no such field, but {}", fields.join(", ")),
        };
        return Err(Error::new_spanned(first, message));
    }
    // An error, such as a type without a text, is shown at the attribute.
    let span = Span::call_site().located_at(path.span());
    Ok(quote_spanned!(span=> #library::Key::of(&self.#path)))
}

/// Tokens as the macro's own: the lints about what people write leave them alone.
fn generated(tokens: TokenStream) -> TokenStream {
    let respanned = |mut token: TokenTree| {
        token.set_span(Span::call_site().located_at(token.span()));
        token
    };
    tokens.into_iter().map(respanned).collect()
}

#[cfg(test)]
mod tests;
