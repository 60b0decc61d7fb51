"""The custom resources as the API server knows them, made from the models and checked in beside this."""
