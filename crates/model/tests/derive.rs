//! What the derives make of Rust types: definitions, wire forms and typed key ranges.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::collections::BTreeMap;

use hull_model::value::{
    Bytes, DocumentId, Id, InternalId, Nullable, Packed, TableNumber, Value, ValueRef, to_json,
};
use hull_model::{
    Doc, IndexBounds, IndexOf, IndexRange, IntoBounds, KeyRange, Object, Patch, RankedIndex, Schema,
    Selected, Selection, Table, Validated, define_table, v,
};
use serde_json::json;

/// People.
///
/// Of all kinds.
#[derive(Clone, Debug, PartialEq, Table)]
#[table("people")]
#[index(by_name(last_name, first_name))]
#[index(by_last(last_name))]
#[index(by_city(home.city: String))]
#[index(by_age(age))]
#[search(search_bio(bio), filter(age, kind))]
struct Person {
    first_name: String,
    last_name: Option<String>,
    /// In years.
    age: i32,
    home: Address,
    kind: Kind,
    bio: Nullable<String>,
    friends: Vec<Id<Person>>,
    scores: BTreeMap<String, f64>,
    r#type: bool,
    #[hull(rename = "X")]
    odd: Option<i64>,
    anything: Value,
    raw: Bytes,
}

#[derive(Clone, Debug, PartialEq, Object)]
struct Address {
    city: String,
    post_code: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Object)]
enum Kind {
    Good,
    NotSoGood,
    #[hull(rename = "WORST")]
    Bad,
}

#[derive(Clone, Debug, PartialEq, Object)]
#[hull(tag = "kind")]
enum Shape {
    Nothing,
    Circle { radius: f64 },
    TwoSides { left_side: f64, a: Option<String> },
}

#[derive(Clone, Debug, PartialEq, Table)]
#[table("happenings", rename_all = "snake_case")]
#[hull(tag = "what_kind")]
#[index(by_what_kind(what_kind))]
#[index(by_user(user_name))]
#[index(by_size(size))]
enum Happening {
    SignUp { user_name: String, size: f64 },
    Click { user_name: String, size: String, on_page: String },
}

#[derive(Clone, Debug, PartialEq, Object)]
struct Pair<T> {
    left: T,
    right: Option<T>,
}

#[derive(Clone, Debug, PartialEq, Table)]
#[table("accounts", rename_all = "snake_case")]
#[index(by_account_id(id))]
struct Account {
    id: u32,
    balance_now: f64,
    creation_time: Option<String>,
}

/// Serde's derives beside ours change nothing, and `#[serde]` says nothing to us.
#[derive(Clone, Debug, PartialEq, Table, serde::Serialize, serde::Deserialize)]
#[table("both")]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
struct Both {
    user_id: Id<Person>,
    #[serde(default)]
    last_name: Option<String>,
}

fn id<T>(n: u8) -> Id<T> {
    Id::from(DocumentId { table: TableNumber(10001), internal: InternalId([n; 16]) })
}

fn person() -> Person {
    Person {
        first_name: "Ada".into(),
        last_name: None,
        age: 36,
        home: Address { city: "London".into(), post_code: None },
        kind: Kind::NotSoGood,
        bio: Nullable::Null,
        friends: vec![id(1)],
        scores: BTreeMap::from([("x".to_owned(), 1.5)]),
        r#type: true,
        odd: Some(7),
        anything: Value::Null,
        raw: Bytes(vec![1]),
    }
}

#[test]
fn derive_and_builder_make_the_same_table() {
    let built = define_table("people")
        .field("firstName", v::string())
        .field("lastName", v::optional(v::string()))
        .field("age", v::number())
        .field("home", v::object([("city", v::string())]).field("postCode", v::optional(v::string())))
        .field("kind", v::union([v::literal("good"), v::literal("not_so_good"), v::literal("WORST")]))
        .field("bio", v::nullable(v::string()))
        .field("friends", v::array(v::id("people")))
        .field("scores", v::record(v::string(), v::number()))
        .field("type", v::boolean())
        .field("X", v::optional(v::int64()))
        .field("anything", v::any())
        .field("raw", v::bytes())
        .index("by_name", ["lastName", "firstName"])
        .index("by_last", ["lastName"])
        .index("by_city", ["home.city"])
        .index("by_age", ["age"])
        .search_index("search_bio", "bio", ["age", "kind"])
        .doc("People.\n\nOf all kinds.")
        .field_doc("age", "In years.");
    assert_eq!(Person::table(), built);
    assert_eq!(Person::NAME, "people");
    Schema::new().of::<Person>().of::<Happening>().of::<Account>().check().unwrap();
}

#[test]
fn a_document_goes_to_the_wire_and_back() {
    let packed = Packed::encode(&person()).unwrap();
    assert_eq!(packed.decode::<Person>().unwrap(), person());
    Person::validator().check_document(packed.as_ref(), &People).unwrap();
    let wire: serde_json::Value = serde_json::from_str(&packed.to_json()).unwrap();
    assert_eq!(wire["firstName"], "Ada");
    assert_eq!(wire.get("lastName"), None);
    assert_eq!(wire["kind"], "not_so_good");
    assert_eq!(wire["home"], json!({"city": "London"}));

    let doc = Doc::new(id(2), 1.5, person());
    let packed = Packed::encode(&doc).unwrap();
    assert_eq!(packed.decode::<Doc<Person>>().unwrap(), doc);
    assert_eq!(packed.to_json(), to_json(&doc).unwrap());
    Doc::<Person>::validator().check(packed.as_ref(), &People).unwrap();
    // It is handed out as it is stored until it is changed, if only by a look that may change it.
    let mut stored = doc.clone().stored_as(packed.clone());
    assert_eq!((Packed::encode(&stored).unwrap(), &stored), (packed.clone(), &doc));
    stored.first_name = "Grace".into();
    let changed = Packed::encode(&stored).unwrap();
    assert_eq!(changed.decode::<Doc<Person>>().unwrap(), stored);
    assert_ne!(changed, packed);
    let mut stored = doc.clone().stored_as(packed.clone());
    stored._creation_time = 2.5;
    assert_eq!(Packed::encode(&stored).unwrap().decode::<Doc<Person>>().unwrap()._creation_time, 2.5);
    // The system fields stand between the upper case key and the others.
    let keys: Vec<&str> = packed.as_object().unwrap().iter().map(|(key, _)| key).collect();
    assert!(keys.is_sorted(), "{keys:?}");
    assert_eq!(keys.get(..3), Some(&["X", "_creationTime", "_id"][..]));
    assert_eq!(doc.first_name, "Ada");
}

#[test]
fn a_selection_is_a_document_of_fewer_fields() {
    fn read<S: Selection<Person>>(_: S, document: &Packed) -> Selected<Person, S::Values> {
        Selected::read::<S>(id(2), 1.5, document.as_object().unwrap()).unwrap()
    }
    let packed = Packed::encode(&person()).unwrap();
    let row = read((Person::kind, Person::last_name, Person::odd, Person::r#type), &packed);
    assert_eq!(row.values, (Kind::NotSoGood, None, Some(7), true));
    assert_eq!((row.3, row._id, row._creation_time), (true, id(2), 1.5));
    let wire = Packed::encode(&row).unwrap();
    let expected =
        format!(r#"{{"X":"7","_creationTime":1.5,"_id":"{}","kind":"not_so_good","type":true}}"#, row._id);
    assert_eq!((wire.to_clean_json(), wire.to_json()), (expected, to_json(&row).unwrap()));
    Selected::<Person, (Kind,)>::validator().check(wire.as_ref(), &People).unwrap();
    let one = read(Person::age, &packed);
    assert_eq!(one.values, (36,));
    let absent = Packed::empty_object();
    fn missing<S: Selection<Person>>(_: S, document: &Packed) -> String {
        S::read(document.as_object().unwrap()).err().unwrap().to_string()
    }
    assert_eq!(
        missing((Person::odd, Person::age), &absent),
        "at .age: expected a value, found a missing field"
    );
    // Its type doesn't say which fields they are; the system's are always there.
    assert!(Selected::<Person, (i32,)>::validator().check(absent.as_ref(), &People).is_err());
}

struct People;

impl hull_model::TableMapping for People {
    fn table_of(&self, number: TableNumber) -> Option<&str> {
        (number.0 == 10001).then_some("people")
    }

    fn number_of(&self, table: &str) -> Option<TableNumber> {
        (table == "people").then_some(TableNumber(10001))
    }
}

#[test]
fn tagged_objects_are_told_apart() {
    let union = v::union([
        v::object([("kind", v::literal("nothing"))]),
        v::object([("kind", v::literal("circle")), ("radius", v::number())]),
        v::object([("kind", v::literal("two_sides")), ("leftSide", v::number())])
            .field("a", v::optional(v::string())),
    ]);
    assert_eq!(Shape::validator(), union);
    for (shape, wire) in [
        (Shape::Nothing, r#"{"kind":"nothing"}"#),
        (Shape::Circle { radius: 2.5 }, r#"{"kind":"circle","radius":2.5}"#),
        (
            Shape::TwoSides { left_side: 1.0, a: Some("x".into()) },
            r#"{"a":"x","kind":"two_sides","leftSide":1}"#,
        ),
    ] {
        assert_eq!(to_json(&shape).unwrap(), wire);
        assert_eq!(Packed::from_json(wire).unwrap().decode::<Shape>().unwrap(), shape);
    }
    for (wire, message) in [
        (
            r#"{"kind":"square"}"#,
            "at .kind: expected one of \"nothing\", \"circle\" or \"two_sides\", found \"square\"",
        ),
        (r#"{"radius":1}"#, "at .kind: expected a value, found a missing field"),
        (r#"{"kind":"circle","radius":"1"}"#, "at .radius: expected float64, found string"),
        ("5", "expected object, found float64"),
    ] {
        let error = Packed::from_json(wire).unwrap().decode::<Shape>().unwrap_err();
        assert_eq!(error.to_string(), message);
    }
    let error = Packed::from_json(r#""x""#).unwrap().decode::<Kind>().unwrap_err();
    assert_eq!(error.to_string(), "expected one of \"good\", \"not_so_good\" or \"WORST\", found \"x\"");
}

#[test]
fn a_table_may_be_a_union() {
    let table = Happening::table();
    assert_eq!(
        table.document.to_string(),
        "v.union(v.object({size: v.float64(), user_name: v.string(), what_kind: v.literal(\"sign_up\")}), \
         v.object({on_page: v.string(), size: v.string(), user_name: v.string(), what_kind: v.literal(\"click\")}))"
    );
    let range = Happening::by_user.range().eq(Happening::user_name, "u");
    assert_eq!(bounds(range), IndexBounds::all().eq(Some(Packed::encode("u").unwrap().as_ref())));
    // A field with several types takes any value.
    let _ = Happening::by_size.range().eq(Happening::size, Value::from(5.0));
    let _ = Happening::by_what_kind.range().eq(Happening::what_kind, "click");
    let doc = Doc::new(id(1), 0.0, Happening::SignUp { user_name: "u".into(), size: 1.0 });
    assert_eq!(Packed::encode(&doc).unwrap().decode::<Doc<Happening>>().unwrap(), doc);
    let members = serde_json::to_value(Doc::<Happening>::validator().to_json()).unwrap();
    assert_eq!(
        members["value"][1]["value"]["_id"]["fieldType"],
        json!({"type": "id", "tableName": "happenings"})
    );
}

#[test]
fn wire_names_can_be_chosen() {
    let account = Account { id: 5, balance_now: 2.0, creation_time: None };
    assert_eq!(to_json(&account).unwrap(), r#"{"balance_now":2,"id":5}"#);
    assert_eq!(Account::id.path(), "id");
    assert_eq!(Account::creation_time.path(), "creation_time");
    assert_eq!(Account::_creation_time.path(), "_creationTime");
    assert_eq!(Person::creation_time.path(), "_creationTime");
    assert_eq!(Person::home_city.path(), "home.city");
}

#[test]
fn serde_may_be_there_too() {
    let both = Both { user_id: id(1), last_name: None };
    assert_eq!(to_json(&both).unwrap(), format!(r#"{{"userId":"{}"}}"#, both.user_id));
    let text = serde_json::to_string(&both).unwrap();
    assert_eq!(text, format!(r#"{{"USER_ID":"{}","LAST_NAME":null}}"#, both.user_id));
    assert_eq!(serde_json::from_str::<Both>(&text).unwrap(), both);
}

#[test]
fn generic_objects() {
    let pair = Pair { left: "a".to_owned(), right: None };
    assert_eq!(to_json(&pair).unwrap(), r#"{"left":"a"}"#);
    assert_eq!(Packed::encode(&pair).unwrap().decode::<Pair<String>>().unwrap(), pair);
    assert_eq!(
        Pair::<f64>::validator().to_string(),
        "v.object({left: v.float64(), right: v.optional(v.float64())})"
    );
    assert_eq!(Vec::<Option<f64>>::validator(), v::array(v::nullable(v::number())));
}

fn bounds<T, R, L, U>(range: IndexRange<T, R, L, U>) -> IndexBounds {
    range.into_bounds().unwrap()
}

fn key<const N: usize>(parts: [Option<Value>; N]) -> Vec<u8> {
    let mut key = Vec::new();
    for part in parts {
        let part = part.map(|part| Packed::encode(&part).unwrap());
        hull_model::value::write_sort_key(part.as_ref().map(Packed::as_ref), &mut key);
    }
    key
}

#[test]
fn ranges_become_bytes() {
    let some = |text: &str| Some(Value::from(text));
    let q = Person::by_name.range();
    assert_eq!(bounds(q).to_key_range(), KeyRange::all());

    let q = Person::by_name.range().eq(Person::last_name, "L");
    let prefix = key([some("L")]);
    let expected = KeyRange { start: prefix.clone(), end: Some([&prefix[..], &[0xFF]].concat()) };
    assert_eq!(bounds(q).to_key_range(), expected);

    // Absent: one byte, and the next key after it is its successor.
    let q = Person::by_name.range().eq(Person::last_name, None);
    assert_eq!(bounds(q).to_key_range(), KeyRange { start: vec![1], end: Some(vec![2]) });

    let q = Person::by_name
        .range()
        .eq(Person::last_name, "L".to_owned())
        .gt(Person::first_name, "A")
        .lte(Person::first_name, String::from("C"));
    let expected = KeyRange {
        start: [&key([some("L"), some("A")])[..], &[0xFF]].concat(),
        end: Some([&key([some("L"), some("C")])[..], &[0xFF]].concat()),
    };
    assert_eq!(bounds(q).to_key_range(), expected);

    let q = Person::by_name
        .range()
        .eq(Person::last_name, "L")
        .eq(Person::first_name, "A")
        .lt(Person::creation_time, 5.0)
        .gte(Person::creation_time, 1.0);
    let at = |time: f64| key([some("L"), some("A"), Some(Value::from(time))]);
    assert_eq!(bounds(q).to_key_range(), KeyRange { start: at(1.0), end: Some(at(5.0)) });

    let q = Person::by_id.range().eq(Person::_id, id(3));
    assert_eq!(bounds(q).to_key_range().start, key([Some(Value::from(id::<Person>(3).to_string()))]));
    let _ = Person::by_age.range().gt(Person::age, 5).lt(Person::age, 9);
    let _ = Person::by_creation_time.range().gt(Person::creation_time, 5);
}

#[test]
fn patches_say_what_changes() {
    let patch = Patch::new()
        .set(Person::first_name, "Eve")
        .set(Person::last_name, "E")
        .unset(Person::odd)
        .set(Person::odd, None)
        .set(Person::bio, "text".to_owned())
        .set(Person::first_name, "Eva");
    let changes = patch.into_changes().unwrap();
    let shown: Vec<String> = changes
        .iter()
        .map(|(name, value)| format!("{name}={}", value.as_ref().map_or("-".to_owned(), Packed::to_json)))
        .collect();
    assert_eq!(shown, ["lastName=\"E\"", "X=-", "bio=\"text\"", "firstName=\"Eva\""]);
}

#[derive(Clone, Debug, PartialEq, Table)]
#[table("entries")]
#[allow(clippy::duplicated_attributes, reason = "one field is added up twice")]
#[index(by_user(user_id))]
#[count(count_by_user(user_id))]
#[count(count_by_mood(mood, user_id), ranked)]
#[sum(points_by_user(user_id), points_earned)]
#[sum(best(user_id), points_earned, ranked)]
#[sum(by_city(user_id, home.city: String), home.height: i64)]
struct Entry {
    user_id: Id<Person>,
    mood: Option<String>,
    points_earned: Option<u32>,
    home: Home,
}

#[derive(Clone, Debug, PartialEq, Object)]
struct Home {
    city: String,
    height: i64,
}

#[test]
fn aggregates() {
    let table = define_table("entries")
        .document(Entry::validator())
        .index("by_user", ["userId"])
        .aggregate_index("count_by_user", ["userId"], None, false)
        .aggregate_index("count_by_mood", ["mood", "userId"], None, true)
        .aggregate_index("points_by_user", ["userId"], Some("pointsEarned"), false)
        .aggregate_index("best", ["userId"], Some("pointsEarned"), true)
        .aggregate_index("by_city", ["userId", "home.city"], Some("home.height"), false);
    assert_eq!(Entry::table(), table);
    Schema::new().of::<Person>().of::<Entry>().check().unwrap();

    // Their ranges are those of ordinary indexes.
    let plain = Entry::by_user.range().eq(Entry::user_id, id(1)).into_bounds().unwrap();
    assert_eq!(Entry::count_by_user.range().eq(Entry::user_id, id(1)).into_bounds().unwrap(), plain);
    assert_eq!(Entry::points_by_user.range().eq(Entry::user_id, id(1)).into_bounds().unwrap(), plain);
    let names = |index: &dyn Fn() -> &'static str| index();
    assert_eq!(names(&|| IndexOf::<Entry>::name(&Entry::by_user)), "by_user");
    assert_eq!(names(&|| IndexOf::<Entry>::name(&Entry::by_city)), "by_city");

    // What a ranking gives is typed.
    fn read<I: RankedIndex<Entry>>(_: I, values: &[Option<ValueRef<'_>>]) -> (I::Group, I::Total) {
        (I::group(values).unwrap(), I::total(3, ValueRef::Float64(1.5)).unwrap())
    }
    let user: Id<Person> = id(1);
    let text = user.to_string();
    let one = Some(ValueRef::String(&text));
    let by_mood: ((Option<String>, Id<Person>), u32) = read(Entry::count_by_mood, &[None, one]);
    assert_eq!(by_mood, ((None, user), 3));
    let by_user: (Id<Person>, f64) = read(Entry::best, &[one]);
    assert_eq!(by_user, (user, 1.5));
}
