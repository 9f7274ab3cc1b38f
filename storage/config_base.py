"""What all tables of config.db share."""

from sqlalchemy import BigInteger, Integer, MetaData

metadata = MetaData()
Id = BigInteger().with_variant(Integer(), "sqlite")
