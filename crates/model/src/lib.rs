//! heliu: model.
