//! The page's files, which are a part of the program.

use axum::{
    Router,
    http::{
        HeaderName,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
            X_CONTENT_TYPE_OPTIONS,
        },
    },
    routing::get,
};

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// Only the order service itself is asked for anything, and nothing in a text becomes a program.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'";

/// A file: where it is served, its type and its text.
type File = (&'static str, &'static str, &'static str);

macro_rules! file {
    ($name:literal, $media_type:ident) => {
        (
            concat!("/page/", $name),
            $media_type,
            include_str!(concat!("../../../page/", $name)),
        )
    };
}

static FILES: [File; 10] = [
    ("/", HTML, include_str!("../../../page/index.html")),
    file!("icon.svg", SVG),
    file!("style.css", CSS),
    file!("marks.css", CSS),
    file!("dom.js", JAVASCRIPT),
    file!("main.js", JAVASCRIPT),
    file!("model.js", JAVASCRIPT),
    file!("kinds.js", JAVASCRIPT),
    file!("lanes.js", JAVASCRIPT),
    file!("lists.js", JAVASCRIPT),
];

pub(super) fn router() -> Router {
    FILES.iter().fold(Router::new(), |router, file| {
        let (path, media_type, text) = *file;
        let head: [(HeaderName, &str); 5] = [
            (CONTENT_TYPE, media_type),
            (CONTENT_SECURITY_POLICY, POLICY),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (REFERRER_POLICY, "no-referrer"),
            (CACHE_CONTROL, "no-cache"),
        ];
        router.route(path, get(move || async move { (head, text) }))
    })
}
