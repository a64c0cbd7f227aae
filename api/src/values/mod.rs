//! The values that fields hold, made only through validation: knows no Kubernetes types.

mod address_block;
mod bytes;
mod expression;
mod growth;
mod hostname;
mod names;
mod price;
mod quantity;

pub use address_block::{AddressBlock, AddressBlockError};
pub use bytes::{Bytes, BytesError};
pub use expression::{ExpressionError, SizeExpression};
pub use growth::{GrowthRule, least_above, taken_back};
pub use hostname::{Hostname, HostnameError};
pub use names::{is_entity_name, is_instance_name};
pub use price::{Price, PriceError};
pub use quantity::{Quantity, QuantityError};
