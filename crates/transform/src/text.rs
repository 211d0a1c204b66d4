//! User-visible sentences in both languages of the product.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Language of messages and of the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// 简体中文.
    Zh,
}

/// One sentence in English and Chinese. Built with [`text!`](crate::text!).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Text {
    /// The English sentence: lower case start, no full stop.
    pub en: String,
    /// 中文句子。
    pub zh: String,
}

impl Text {
    /// The same words in both languages (names, quotations of a platform's reply).
    pub fn same(words: impl Into<String>) -> Self {
        let en = words.into();
        Text { zh: en.clone(), en }
    }

    /// The sentence in `lang`.
    pub fn get(&self, lang: Lang) -> &str {
        match lang {
            Lang::En => &self.en,
            Lang::Zh => &self.zh,
        }
    }

    /// True when there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.en.is_empty() && self.zh.is_empty()
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.en)
    }
}

/// Builds a [`Text`] from an English and a Chinese format string that share the captured variables.
///
/// ```
/// let key = "shop_nmae";
/// let t = heliu_transform::text!("unknown key `{key}`", "未知的键 `{key}`");
/// assert_eq!(t.zh, "未知的键 `shop_nmae`");
/// ```
#[macro_export]
macro_rules! text {
    ($en:literal, $zh:literal $(,)?) => {
        $crate::Text { en: ::std::format!($en), zh: ::std::format!($zh) }
    };
}
