"""Models of several sensors: encoders, fusion, restoration, evidence and what is deployed."""
