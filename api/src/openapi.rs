//! The partner API as an OpenAPI 3.1 document, made from the handlers and their types.

/// The document, pretty-printed.
pub fn openapi() -> String {
    String::new()
}
