//! The corpus in tantivy, with the same tokens: text with frequencies, filter fields as whole strings.

use std::error::Error;
use std::path::Path;

use tantivy::collector::TopDocs;
use tantivy::merge_policy::LogMergePolicy;
use tantivy::query::{BooleanQuery, ConstScoreQuery, Occur, Query, TermQuery};
use tantivy::schema::{FAST, Field, IndexRecordOption, STRING, Schema, TextFieldIndexing, TextOptions};
use tantivy::tokenizer::{LowerCaser, RemoveLongFilter, SimpleTokenizer, TextAnalyzer};
use tantivy::{Index, IndexReader, IndexWriter, ReloadPolicy, Term, doc};

use super::corpus::{Corpus, Note};
use super::{Filter, TOP};

/// The name of the tokenizer: what Hull's does.
const TOKENIZER: &str = "words";
/// What the writer may take before it ends a segment; commits end them sooner.
const WRITER_BYTES: usize = 64 << 20;

pub(crate) struct Tantivy {
    writer: IndexWriter,
    reader: IndexReader,
    content: Field,
    user: Field,
    private: Field,
}

fn flag(private: bool) -> &'static str {
    if private { "t" } else { "f" }
}

impl Tantivy {
    pub(crate) fn create(path: &Path) -> Result<Tantivy, Box<dyn Error>> {
        let mut schema = Schema::builder();
        let indexing = TextFieldIndexing::default()
            .set_tokenizer(TOKENIZER)
            .set_index_option(IndexRecordOption::WithFreqs)
            .set_fieldnorms(true);
        let content = schema
            .add_text_field("content", TextOptions::default().set_indexing_options(indexing).set_stored());
        let user = schema.add_text_field("user", STRING | FAST);
        let private = schema.add_text_field("private", STRING | FAST);
        let index = Index::create_in_dir(path, schema.build())?;
        let analyzer = TextAnalyzer::builder(SimpleTokenizer::default())
            .filter(RemoveLongFilter::limit(33))
            .filter(LowerCaser)
            .build();
        index.tokenizers().register(TOKENIZER, analyzer);
        let writer = index.writer_with_num_threads(1, WRITER_BYTES)?;
        writer.set_merge_policy(Box::new(LogMergePolicy::default()));
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        Ok(Tantivy { writer, reader, content, user, private })
    }

    /// Writes the documents, with a commit, which is durable, for each `batch` of them.
    pub(crate) fn index(&mut self, corpus: &Corpus, count: u32, batch: usize) -> Result<(), Box<dyn Error>> {
        let mut notes = corpus.notes(count).peekable();
        while notes.peek().is_some() {
            for Note { content, user, private } in notes.by_ref().take(batch) {
                self.writer.add_document(doc!(
                    self.content => content, self.user => user, self.private => flag(private)
                ))?;
            }
            self.writer.commit()?;
        }
        self.reader.reload()?;
        Ok(())
    }

    /// Makes one segment of all.
    pub(crate) fn merge(&mut self) -> Result<(), Box<dyn Error>> {
        let segments = self.writer.index().searchable_segment_ids()?;
        if segments.len() > 1 {
            self.writer.merge(&segments).wait()?;
        }
        self.reader.reload()?;
        Ok(())
    }

    pub(crate) fn segments(&self) -> usize {
        self.reader.searcher().segment_readers().len()
    }

    /// How many of the best documents there are, up to [`TOP`].
    pub(crate) fn search(&self, (one, two): (&str, &str), filter: &Filter) -> Result<usize, Box<dyn Error>> {
        let term = |field: Field, text: &str, option: IndexRecordOption| -> Box<dyn Query> {
            Box::new(TermQuery::new(Term::from_field_text(field, text), option))
        };
        let words =
            [one, two].map(|word| (Occur::Should, term(self.content, word, IndexRecordOption::WithFreqs)));
        let filter = match filter {
            Filter::Public => term(self.private, flag(false), IndexRecordOption::Basic),
            Filter::User(user) => term(self.user, user, IndexRecordOption::Basic),
        };
        let query = BooleanQuery::new(vec![
            (Occur::Must, Box::new(ConstScoreQuery::new(filter, 0.0))),
            (Occur::Must, Box::new(BooleanQuery::new(Vec::from(words)))),
        ]);
        let found = self.reader.searcher().search(&query, &TopDocs::with_limit(TOP).order_by_score())?;
        Ok(found.len())
    }
}
