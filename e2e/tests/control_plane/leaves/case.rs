//! A case: one leaf changed, and what shows that it makes a difference.

use serde_json::{Map, Value};

/// One leaf changed, and what shows that it makes a difference.
pub struct Case {
    /// The kind whose spec has the leaf.
    pub kind: &'static str,
    /// Where the leaf is in the manifest that is changed, for example `spec.title{ca}` or
    /// `spec.managers[0].mail`.
    pub path: String,
    /// The value that it gets.
    pub value: Value,
    /// What else the manifest says while the leaf is looked at, before the change and after it.
    pub given: Vec<(&'static str, Value)>,
    /// What is done after the change, for leaves that only tell at such a moment.
    pub deed: Option<Deed>,
    /// What shows the difference.
    pub proof: Proof,
}

/// What is done after a change.
pub enum Deed {
    /// An object is applied.
    Apply(Value),
    /// `Kind/name` is deleted.
    Delete(&'static str),
}

/// What shows that a leaf makes a difference.
pub enum Proof {
    /// Running objects show all of this with the change, and not without.
    Shows(Vec<See>),
    /// The change is refused, in all of these words.
    Refused(Vec<&'static str>),
}

/// What an object shows.
pub struct See {
    /// `Kind/name`.
    pub object: String,
    /// A JSON pointer, in which an item of a list is called by its index, name, type or path.
    pub at: String,
    /// What is there.
    pub is: Is,
}

/// What is at a place of an object.
pub enum Is {
    /// This value.
    Equal(Value),
    /// A text with these words in it.
    Holding(String),
}

impl Case {
    /// The leaf, as the walk names it.
    pub fn leaf(&self) -> String {
        let mut leaf = format!("{} ", self.kind);
        let mut inside = false;
        for sign in self.path.chars() {
            inside &= !matches!(sign, ']' | '}');
            if !inside {
                leaf.push(sign);
            }
            inside |= matches!(sign, '[' | '{');
        }
        leaf
    }

    /// The manifest as it is before the change.
    pub fn before(&self, manifest: &Value) -> Value {
        let mut manifest = manifest.clone();
        self.given.iter().for_each(|(path, value)| set(&mut manifest, path, value));
        manifest
    }

    /// The manifest with the change.
    pub fn after(&self, manifest: &Value) -> Value {
        let mut manifest = self.before(manifest);
        set(&mut manifest, &self.path, &self.value);
        manifest
    }

    /// The same, while the manifest says something else as well.
    pub fn given(mut self, path: &'static str, value: Value) -> Self {
        self.given.push((path, value));
        self
    }

    /// The same, looked at after a deed.
    pub fn then(self, deed: Deed) -> Self {
        Self { deed: Some(deed), ..self }
    }
}

/// A leaf whose change running objects show.
pub fn shows(kind: &'static str, path: impl Into<String>, value: Value, sees: Vec<See>) -> Case {
    Case { kind, path: path.into(), value, given: Vec::new(), deed: None, proof: Proof::Shows(sees) }
}

/// A leaf whose change is refused.
pub fn refused(kind: &'static str, path: impl Into<String>, value: Value, words: &[&'static str]) -> Case {
    Case { kind, path: path.into(), value, given: Vec::new(), deed: None, proof: Proof::Refused(words.to_vec()) }
}

/// A value at a place of an object.
pub fn see(object: impl Into<String>, at: impl Into<String>, value: impl Into<Value>) -> See {
    See { object: object.into(), at: at.into(), is: Is::Equal(value.into()) }
}

/// A text at a place of an object that has these words in it.
pub fn reads(object: impl Into<String>, at: impl Into<String>, words: impl Into<String>) -> See {
    See { object: object.into(), at: at.into(), is: Is::Holding(words.into()) }
}

impl See {
    /// Whether the object shows it.
    pub fn is_in(&self, object: &Value) -> bool {
        let found = at(object, &self.at);
        match &self.is {
            Is::Equal(value) => found == Some(value),
            Is::Holding(words) => found.and_then(Value::as_str).is_some_and(|text| text.contains(words)),
        }
    }

    /// What is to be seen and what is, for a failure.
    pub fn told(&self, object: Option<&Value>) -> String {
        let wanted = match &self.is {
            Is::Equal(value) => value.to_string(),
            Is::Holding(words) => format!("…{words:?}…"),
        };
        let found = object.map(|object| at(object, &self.at).map_or("nothing".to_owned(), Value::to_string));
        let found = found.unwrap_or_else(|| "no such object".to_owned());
        format!("{} {} is to be {wanted}: {found}", self.object, self.at)
    }
}

/// The value at a JSON pointer, in which an item of a list is called by its index, name, type or path.
pub fn at<'v>(value: &'v Value, pointer: &str) -> Option<&'v Value> {
    pointer.split('/').skip(1).try_fold(value, |value, segment| {
        let key = segment.replace("~1", "/").replace("~0", "~");
        match value {
            Value::Array(items) => {
                let called = |item: &&Value| ["name", "type", "path"].iter().any(|field| item[*field] == key);
                key.parse::<usize>().ok().and_then(|index| items.get(index)).or_else(|| items.iter().find(called))
            }
            value => value.get(&key),
        }
    })
}

/// Sets the value at `spec.list[0].map{key}`; what is missing on the way is made.
pub fn set(manifest: &mut Value, path: &str, value: &Value) {
    let path = path.replace(['[', '{'], ".").replace([']', '}'], "");
    let mut place = manifest;
    for segment in path.split('.') {
        place = if let Ok(index) = segment.parse::<usize>() {
            if !place.is_array() {
                *place = Value::Array(Vec::new());
            }
            let Some(items) = place.as_array_mut() else { return };
            while items.len() <= index {
                items.push(Value::Null);
            }
            &mut items[index]
        } else {
            if !place.is_object() {
                *place = Value::Object(Map::new());
            }
            &mut place[segment]
        };
    }
    place.clone_from(value);
}
