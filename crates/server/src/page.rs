//! The page at `/`: one live list that every open window keeps in step.
//!
//! The page is our own HTML, CSS and two ES modules, embedded in the binary; it loads nothing from elsewhere, and the
//! content security policy says so. The application names the list and the mutations that the page uses, or brings a
//! page of its own, which may import the same client from `/page/hull.js`.

use axum::Router;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::response::IntoResponse;
use axum::routing::get;
use serde::Serialize;
use serde_json::value::RawValue;

const HTML: &str = "text/html; charset=utf-8";
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What the page at `/` shows. Without one, the page still watches any query that is typed in.
///
/// ```
/// # use hull_server::Page;
/// let page = Page::new("Missions")
///     .list("missions:list", "{}")
///     .show(["title", "description"])
///     .add("missions:create", r#"{"category": "courage"}"#, [("title", "What to do")])
///     .remove("missions:remove", "id", "{}");
/// ```
#[derive(Debug, Clone, Default, Serialize)]
pub struct Page {
    title: String,
    list: Option<Call>,
    show: Vec<String>,
    add: Option<Add>,
    remove: Option<Remove>,
    #[serde(skip)]
    mistake: Option<String>,
    #[serde(skip)]
    html: Option<&'static str>,
}

#[derive(Debug, Clone, Serialize)]
struct Call {
    path: String,
    args: Box<RawValue>,
}

#[derive(Debug, Clone, Serialize)]
struct Add {
    #[serde(flatten)]
    call: Call,
    fields: Vec<Field>,
}

#[derive(Debug, Clone, Serialize)]
struct Field {
    name: String,
    label: String,
}

#[derive(Debug, Clone, Serialize)]
struct Remove {
    #[serde(flatten)]
    call: Call,
    id: String,
}

impl Page {
    /// A page with a title and nothing else.
    pub fn new(title: impl Into<String>) -> Page {
        Page { title: title.into(), ..Page::default() }
    }

    /// A page of the application's own: HTML, served as it is and without a content security policy. Its scripts may
    /// import the small client that this server embeds: `import { Hull } from "/page/hull.js"`.
    pub fn html(html: &'static str) -> Page {
        Page { html: Some(html), ..Page::default() }
    }

    /// The query whose answer is the list, and its arguments as a JSON object.
    pub fn list(mut self, path: &str, args: &str) -> Page {
        self.list = self.call(path, args);
        self
    }

    /// The fields that make up a row, the first one largest. Without this a row shows its first four.
    pub fn show<'a>(mut self, fields: impl IntoIterator<Item = &'a str>) -> Page {
        self.show = fields.into_iter().map(str::to_owned).collect();
        self
    }

    /// The mutation behind the form: its fixed arguments as a JSON object, and the text inputs as (argument, label).
    pub fn add<'a>(
        mut self,
        path: &str,
        args: &str,
        fields: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Page {
        let fields =
            fields.into_iter().map(|(name, label)| Field { name: name.to_owned(), label: label.to_owned() });
        self.add = self.call(path, args).map(|call| Add { call, fields: fields.collect() });
        self
    }

    /// The mutation behind a row's button: the argument that takes the row's id, and the others as a JSON object.
    pub fn remove(mut self, path: &str, id: &str, args: &str) -> Page {
        self.remove = self.call(path, args).map(|call| Remove { call, id: id.to_owned() });
        self
    }

    fn call(&mut self, path: &str, args: &str) -> Option<Call> {
        match serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(args)
            .and_then(|_| RawValue::from_string(args.to_owned()))
        {
            Ok(args) => Some(Call { path: path.to_owned(), args }),
            Err(error) => {
                self.mistake =
                    Some(format!("the page's arguments for {path} are not a JSON object: {error}"));
                None
            }
        }
    }

    /// The page's query and its arguments.
    pub(crate) fn suggested_query(&self) -> Option<(String, String)> {
        self.list.as_ref().map(|call| (call.path.clone(), call.args.get().to_owned()))
    }

    /// The settings that the page's module reads.
    fn settings(&self) -> Result<String, String> {
        match &self.mistake {
            Some(mistake) => Err(mistake.clone()),
            None => serde_json::to_string(self).map_err(|error| error.to_string()),
        }
    }
}

/// The routes of the page.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>(page: &Page) -> Result<Router<S>, String> {
    let settings = page.settings()?;
    let file = |kind: &'static str, text: &'static str| get(move || async move { served(kind, text) });
    let root = match page.html {
        Some(html) => get(move || async move {
            ([(CONTENT_TYPE, HTML), (CACHE_CONTROL, "no-cache"), (X_CONTENT_TYPE_OPTIONS, "nosniff")], html)
        }),
        None => file(HTML, include_str!("../page/index.html")),
    };
    let routes = Router::new()
        .route("/", root)
        .route("/page/app.js", file("text/javascript; charset=utf-8", include_str!("../page/app.js")))
        .route("/page/hull.js", file("text/javascript; charset=utf-8", include_str!("../page/hull.js")))
        .route("/page/style.css", file("text/css; charset=utf-8", include_str!("../page/style.css")))
        .route(
            "/page/settings.json",
            get(move || async move { served("application/json", settings.clone()) }),
        );
    Ok(routes)
}

fn served(kind: &'static str, body: impl IntoResponse) -> impl IntoResponse {
    let headers = [
        (CONTENT_TYPE, kind),
        (CACHE_CONTROL, "no-cache"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ];
    (headers, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_reads_what_the_application_named() {
        let page = Page::new("T").list("a:list", "{\"n\": 1}").add("a:add", "{}", [("text", "Text")]);
        assert_eq!(
            page.settings().unwrap(),
            r#"{"title":"T","list":{"path":"a:list","args":{"n": 1}},"show":[],"add":{"path":"a:add","args":{},"fields":[{"name":"text","label":"Text"}]},"remove":null}"#
        );
    }

    #[test]
    fn wrong_arguments_are_a_mistake_that_is_named() {
        for args in ["", "[]", "{", "1"] {
            assert!(Page::new("T").list("a:list", args).settings().unwrap_err().contains("a:list"), "{args}");
        }
    }
}
