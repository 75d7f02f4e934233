package androidx.health.connect.client.records.metadata

class DataOrigin(val packageName: String)

class Metadata(val dataOrigin: DataOrigin)
