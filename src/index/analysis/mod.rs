//! Text analysis: from text to the terms that are indexed and looked up.

mod fold;
pub(super) mod stemmer;
pub(super) mod tokenizer;
