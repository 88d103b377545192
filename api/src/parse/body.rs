//! JSON bodies.

use crate::code::Code;
use crate::problem::Problem;
use serde::de::DeserializeOwned;

/// Reads a body. An error names the field, however deep it lies.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).or_else(|_| explain(body))
}

/// Reads it again, this time remembering the way: that costs, and most bodies are right.
fn explain<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let parsed = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        problem(path, error.inner())
    })?;
    json.end().map_err(|error| problem(String::new(), &error))?;
    Ok(parsed)
}

fn problem(path: String, error: &serde_json::Error) -> Problem {
    let full = error.to_string();
    let message = full
        .rsplit_once(" at line ")
        .map_or(full.as_str(), |(message, _)| message);
    if !error.is_data() {
        return Problem::new(Code::MalformedJson, format!("the body is not JSON: {full}"));
    }
    let path = if path == "." { String::new() } else { path };
    if let Some(field) = named(message, "unknown field `") {
        return Problem::new(Code::ParameterUnknown, message.to_owned())
            .about(unknown_path(&path, field));
    }
    if let Some(field) = named(message, "missing field `") {
        return Problem::new(Code::ParameterMissing, format!("{field} is required"))
            .about(join(&path, field));
    }
    if let Some(field) = named(message, "duplicate field `") {
        return Problem::invalid(join(&path, field), format!("{field} is given twice"));
    }
    if path.is_empty() {
        return Problem::new(Code::ParameterInvalid, message.to_owned());
    }
    let detail = format!("{path}: {message}");
    Problem::invalid(path, detail)
}

/// The name that serde puts between backquotes.
fn named<'a>(message: &'a str, before: &str) -> Option<&'a str> {
    let rest = message.strip_prefix(before)?;
    // The name is the sender's and may hold backquotes itself; what follows it does not begin so.
    let end = rest
        .rfind("`, expected")
        .or_else(|| rest.rfind("`, there"))
        .or_else(|| rest.find('`'))?;
    rest.get(..end)
}

/// The unknown field's own name is already the last part of the way, or a `?`.
fn unknown_path(path: &str, field: &str) -> String {
    let parent = match path.strip_suffix(field) {
        Some("") => "",
        Some(parent) if parent.ends_with('.') => parent.trim_end_matches('.'),
        _ => path
            .strip_suffix(".?")
            .unwrap_or(if path == "?" { "" } else { path }),
    };
    join(parent, field)
}

fn join(path: &str, field: &str) -> String {
    if path.is_empty() {
        field.to_owned()
    } else {
        format!("{path}.{field}")
    }
}
