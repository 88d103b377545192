//! JSON bodies.

use crate::code::Code;
use crate::problem::Problem;
use serde::de::DeserializeOwned;

/// Characters of an explanation that come from the request or from serde.
const MAX_QUOTED: usize = 400;

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
    // What is quoted from the request must not make the answer as long as the request.
    let (message, path) = (short(message), short(&path));
    let path = if path == "." { "" } else { path }.to_owned();
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

fn short(text: &str) -> &str {
    text.char_indices()
        .nth(MAX_QUOTED)
        .and_then(|(end, _)| text.get(..end))
        .unwrap_or(text)
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[serde(rename = "list")]
        _list: Vec<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[serde(rename = "number")]
        _number: u64,
    }

    fn check(body: &str, code: Code, param: Option<&str>) {
        let problem = parse::<Outer>(body.as_bytes()).expect_err(body);
        assert_eq!(
            (problem.code, problem.param.as_deref()),
            (code, param),
            "{body}"
        );
    }

    #[test]
    fn errors_name_the_field_however_deep_it_lies() {
        use Code::{MalformedJson, ParameterInvalid, ParameterMissing, ParameterUnknown};
        for (body, code, param) in [
            (r#"{"list":[],"b":1}"#, ParameterUnknown, Some("b")),
            (
                r#"{"list":[{"number":1,"b":1}]}"#,
                ParameterUnknown,
                Some("list[0].b"),
            ),
            (
                r#"{"list":[{"number":1,"`b`, expected":1}]}"#,
                ParameterUnknown,
                Some("list[0].`b`, expected"),
            ),
            (r#"{}"#, ParameterMissing, Some("list")),
            (
                r#"{"list":[{"number":1},{}]}"#,
                ParameterMissing,
                Some("list[1].number"),
            ),
            (
                r#"{"list":[{"number":1,"number":1}]}"#,
                ParameterInvalid,
                Some("list[0].number"),
            ),
            (
                r#"{"list":[{"number":"1"}]}"#,
                ParameterInvalid,
                Some("list[0].number"),
            ),
            (r#"{"list":3}"#, ParameterInvalid, Some("list")),
            ("3", ParameterInvalid, None),
            ("{\"list\":[]} x", MalformedJson, None),
            ("\u{feff}{}", MalformedJson, None),
            ("", MalformedJson, None),
        ] {
            check(body, code, param);
        }
    }

    #[test]
    fn an_explanation_is_short_however_long_the_request() {
        let deep = format!(r#"{{"list":{}}}"#, "[".repeat(100_000));
        assert!(parse::<Outer>(deep.as_bytes()).is_err());
        let long = format!(r#"{{"{}":1}}"#, "é".repeat(100_000));
        let problem = parse::<Outer>(long.as_bytes()).expect_err("unknown");
        let param = problem.param.map_or(0, |param| param.len());
        assert!(problem.detail.len() + param < 8 * MAX_QUOTED);
    }
}
