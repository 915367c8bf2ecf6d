//! Who a request says it is: the `Authorization` header, or the `adminKey` of the query string.
//!
//! `Bearer <token>` is a user. `Convex <key>` is an admin whose key is `name|secret`, perhaps behind a deployment type
//! (`prod:name|secret`), and `Convex <key>:<base64 of JSON>` an admin who acts as the user that the JSON describes.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use data_encoding::BASE64;

use super::error::ApiError;

/// What a request brought to be known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Credentials {
    /// Nothing.
    None,
    /// A user's token.
    User(String),
    /// An admin key, and the identity it acts as (JSON).
    Admin {
        /// `name|secret`.
        key: String,
        /// The JSON of a user's identity.
        acting_as: Option<String>,
    },
}

impl Credentials {
    /// Reads them; `admin_key` is the parameter of the query string, which counts without a header.
    pub(crate) fn read(headers: &HeaderMap, admin_key: Option<&str>) -> Result<Credentials, ApiError> {
        let Some(header) = headers.get(AUTHORIZATION) else {
            return Ok(admin_key.map_or(Credentials::None, |key| Credentials::Admin {
                key: without_type(key).to_owned(),
                acting_as: None,
            }));
        };
        let bad = |why: &str| ApiError::bad_request("InvalidAuthHeader", why);
        let header = header.to_str().map_err(|_| bad("The Authorization header is not text."))?;
        let scheme = header.get(..7).ok_or_else(|| bad("The Authorization header is too short."))?;
        let rest = header[7..].trim();
        if scheme.eq_ignore_ascii_case("bearer ") {
            return Ok(Credentials::User(rest.to_owned()));
        }
        if !scheme.eq_ignore_ascii_case("convex ") {
            return Err(bad(
                "The Authorization header is neither `Bearer <token>` nor `Convex <admin key>`.",
            ));
        }
        let key = without_type(rest);
        let secret_at = key.find('|').map_or(0, |at| at + 1);
        let Some(colon) = key[secret_at..].find(':').map(|at| secret_at + at) else {
            return Ok(Credentials::Admin { key: key.to_owned(), acting_as: None });
        };
        let identity = BASE64
            .decode(&key.as_bytes()[colon + 1..])
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .ok_or_else(|| bad("What follows the admin key's `:` is not base64 of an identity's JSON."))?;
        Ok(Credentials::Admin { key: key[..colon].to_owned(), acting_as: Some(identity) })
    }
}

/// `prod:name|secret` is `name|secret`.
pub(crate) fn without_type(key: &str) -> &str {
    let name_end = key.find('|').unwrap_or(key.len());
    key[..name_end].rfind(':').map_or(key, |colon| &key[colon + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(header: Option<&str>, admin_key: Option<&str>) -> Result<Credentials, ApiError> {
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert(AUTHORIZATION, header.parse().unwrap());
        }
        Credentials::read(&headers, admin_key)
    }

    fn admin(key: &str, acting_as: Option<&str>) -> Result<Credentials, ApiError> {
        Ok(Credentials::Admin { key: key.to_owned(), acting_as: acting_as.map(str::to_owned) })
    }

    #[test]
    fn every_form_is_read() {
        assert_eq!(read(None, None), Ok(Credentials::None));
        assert_eq!(read(Some("Bearer a.b.c"), None), Ok(Credentials::User("a.b.c".to_owned())));
        assert_eq!(read(Some("bEARER a.b.c"), Some("n|s")), Ok(Credentials::User("a.b.c".to_owned())));
        assert_eq!(read(Some("Convex n|s"), None), admin("n|s", None));
        assert_eq!(read(Some("convex prod:n|s"), None), admin("n|s", None));
        assert_eq!(read(Some("Convex preview:team:n|s:e30="), None), admin("n|s", Some("{}")));
        assert_eq!(read(None, Some("dev:n|s")), admin("n|s", None));
        assert_eq!(read(Some("Convex nokey"), None), admin("nokey", None));
    }

    #[test]
    fn malformed_headers_are_refused() {
        for header in ["", "Bear", "Basic dXNlcg==", "Convex n|s:***", "Convex n|s:/w=="] {
            assert!(read(Some(header), None).is_err(), "{header}");
        }
    }
}
