"""What the platform is made of: real servers, each started and stopped by one small module."""
