"""The sending side: queue runner, routing, client and bounces."""
