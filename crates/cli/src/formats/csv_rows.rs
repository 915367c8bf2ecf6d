//! CSV files: written with a header that names types, read with such a header or with plain names.
//!
//! Guarantee: what is written comes back equal, every type of value and every name of a field. At most one record is
//! held in memory, and none is longer than [`MAX_ROW_BYTES`].

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use csv::{ByteRecord, Reader, ReaderBuilder};
use hull_value::{MAX_ROW_BYTES, Packed, Value};

use super::bounded::{Budget, Meter};
use super::cells::{self, plain_number};
use super::columns::{Header, insert, parse_header};
use super::rows::{BadFile, BadRow};

/// Reads the records of a CSV file.
pub(crate) struct CsvRows<R: Read> {
    reader: Reader<Budget<R>>,
    meter: Meter,
    header: Vec<Header>,
    /// Fields that are left out when their cell is empty.
    optional: BTreeSet<String>,
    record: ByteRecord,
}

impl<R: Read> CsvRows<R> {
    /// Reads the header. `optional` names the fields of the table that may be absent.
    pub(crate) fn new(input: R, optional: BTreeSet<String>) -> Result<CsvRows<R>, BadFile> {
        let budget = Budget::new(input, MAX_ROW_BYTES as u64);
        let meter = budget.meter();
        let mut reader = ReaderBuilder::new().flexible(true).from_reader(budget);
        let names =
            reader.byte_headers().map_err(|error| BadFile::new("CsvInvalidHeader", error.to_string()))?;
        if names.is_empty() {
            return Err(BadFile::new(
                "CsvMissingHeaders",
                "the first line must name the columns, and there is none",
            ));
        }
        let mut header: Vec<Header> = Vec::new();
        for name in names.clone().iter() {
            let text = String::from_utf8_lossy(name);
            let column = parse_header(&text).ok_or_else(|| {
                BadFile::new("CsvInvalidHeader", format!("`{text}` is not the name of a field"))
            })?;
            if header.contains(&column) {
                return Err(BadFile::new("CsvInvalidHeader", format!("the column `{text}` is there twice")));
            }
            header.push(column);
        }
        Ok(CsvRows { reader, meter, header, optional, record: ByteRecord::new() })
    }

    /// The next document; `None` at the end. What is wrong with one record does not end the file.
    pub(crate) fn next(&mut self) -> Result<Option<Result<Packed, BadRow>>, BadFile> {
        self.meter.set(MAX_ROW_BYTES as u64);
        let more = self.reader.read_byte_record(&mut self.record);
        match more.map_err(|error| BadFile::new("CsvInvalidRow", error.to_string()))? {
            true => Ok(Some(self.document())),
            false => Ok(None),
        }
    }

    /// The text of the record that was read last, about as it stands in the file.
    pub(crate) fn text(&self) -> String {
        let cells: Vec<_> = self.record.iter().map(String::from_utf8_lossy).collect();
        cells.join(",")
    }

    fn document(&self) -> Result<Packed, BadRow> {
        if self.record.len() != self.header.len() {
            return Err(BadRow::new(
                "CsvRowMissingFields",
                format!("it has {} cells, and the header names {}", self.record.len(), self.header.len()),
            ));
        }
        let mut fields = BTreeMap::new();
        for (column, cell) in self.header.iter().zip(&self.record) {
            let name = column.path.join(".");
            let invalid = |why: String| BadRow::new("InvalidConvexValue", format!("{name}: {why}"));
            let text = std::str::from_utf8(cell).map_err(|_| invalid("not UTF-8".to_owned()))?;
            let value = match column.kind {
                Some(_) if text.is_empty() => continue,
                Some(kind) => cells::read(kind, text).map_err(invalid)?,
                None if text.is_empty() && self.optional.contains(&name) => continue,
                None if text.is_empty() && name.starts_with('_') => continue,
                None => plain_number(text).map_or_else(|| Value::String(text.to_owned()), Value::Float64),
            };
            if !insert(&mut fields, &column.path, value) {
                return Err(invalid("two columns give it a value".to_owned()));
            }
        }
        Packed::encode(&Value::Object(fields)).map_err(|error| BadRow::new(error.code(), error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::formats::columns::Survey;

    fn written(documents: &[Packed]) -> Vec<u8> {
        let mut survey = Survey::default();
        for document in documents {
            survey.see(document).unwrap();
        }
        let columns = survey.columns();
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(columns.header()).unwrap();
        let mut cells = Vec::new();
        for document in documents {
            columns.cells(document, &mut cells);
            writer.write_record(&cells).unwrap();
        }
        writer.into_inner().unwrap()
    }

    fn read(text: &[u8]) -> Vec<Packed> {
        let mut rows = CsvRows::new(text, BTreeSet::new()).unwrap();
        let mut documents = Vec::new();
        while let Some(document) = rows.next().unwrap() {
            documents.push(document.unwrap());
        }
        documents
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Boolean),
            any::<i64>().prop_map(Value::Int64),
            any::<u64>().prop_map(|bits| Value::Float64(f64::from_bits(bits))),
            Just(Value::Float64(-0.0)),
            Just(Value::Float64(f64::INFINITY)),
            "(\"|,|\n|\r| |[a-z]|é){0,6}".prop_map(Value::String),
            proptest::collection::vec(any::<u8>(), 0..5).prop_map(Value::Bytes),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                proptest::collection::btree_map(name(), inner, 0..4).prop_map(Value::Object),
            ]
        })
    }

    fn name() -> impl Strategy<Value = String> {
        prop_oneof!["[a-c]", "[a-b][ .:\",]{1,2}[a-b0-9]", Just("x:string".to_owned()), Just("0".to_owned())]
    }

    fn document() -> impl Strategy<Value = Packed> {
        proptest::collection::btree_map(name(), value(), 1..5).prop_map(|mut fields| {
            fields.insert("_id".to_owned(), Value::String("id".to_owned()));
            fields.insert("_creationTime".to_owned(), Value::Float64(1.5));
            Packed::encode(&Value::Object(fields)).unwrap()
        })
    }

    proptest! {
        #[test]
        fn documents_come_back_equal(documents in proptest::collection::vec(document(), 1..6)) {
            prop_assert_eq!(read(&written(&documents)), documents);
        }
    }

    #[test]
    fn the_file_is_as_the_rule_says() {
        let document = Packed::from_export_json(
            r#"{"_creationTime":1.0,"_id":"i","a":{"b":1,"c d":true},"e":"","f":[1.0],"n":null,"q":"\"x"}"#,
        );
        assert_eq!(
            String::from_utf8(written(&[document.unwrap()])).unwrap(),
            "_id:string,_creationTime:float64,\"a.\"\"c d\"\":boolean\",a.b:int64,e:string,f:json,n:null,q:string\n\
             i,1.0,true,1,\"\"\"\"\"\",[1.0],null,\"\"\"\\\"\"x\"\"\"\n"
        );
    }

    #[test]
    fn plain_names_follow_convex() {
        let text = "name,age,note,inf\nAna,7,,inf\n007,-1.5e3,x,1\n";
        let mut rows = CsvRows::new(text.as_bytes(), BTreeSet::from(["note".to_owned()])).unwrap();
        let mut next = || rows.next().unwrap().unwrap().unwrap().to_export_json();
        assert_eq!(next(), r#"{"age":7.0,"inf":"inf","name":"Ana"}"#);
        assert_eq!(next(), r#"{"age":-1500.0,"inf":1.0,"name":7.0,"note":"x"}"#);
        assert!(rows.next().unwrap().is_none());
    }

    #[test]
    fn mistakes_have_their_codes() {
        let file = |text: &str| CsvRows::new(text.as_bytes(), BTreeSet::new()).map(|_| ()).unwrap_err().code;
        assert_eq!(file(""), "CsvMissingHeaders");
        assert_eq!(file("a,$b\n"), "CsvInvalidHeader");
        assert_eq!(file("a,a\n"), "CsvInvalidHeader");
        let row = |text: &str| {
            let mut rows = CsvRows::new(text.as_bytes(), BTreeSet::new()).unwrap();
            rows.next().unwrap().unwrap().unwrap_err().code
        };
        assert_eq!(row("a,b\n1\n"), "CsvRowMissingFields");
        assert_eq!(row("a,b\n1,2,3\n"), "CsvRowMissingFields");
        assert_eq!(row("a:int64\nx\n"), "InvalidConvexValue");
        assert_eq!(row("a:int64,a:string\n1,x\n"), "InvalidConvexValue");
        let long = format!("a\n\"{}", "x".repeat(MAX_ROW_BYTES + 100_000));
        assert!(CsvRows::new(long.as_bytes(), BTreeSet::new()).unwrap().next().is_err());
    }
}
