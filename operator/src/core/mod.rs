//! What the business is made of: quotas, prices, names, the life of data. Knows no Kubernetes types.

pub mod lifecycle;

pub use commonscloud_api::values::{
    Bytes, BytesError, ExpressionError, GrowthRule, Hostname, HostnameError, Price, PriceError, Quantity,
    QuantityError, SizeExpression, is_entity_name, is_instance_name, least_above, taken_back,
};
