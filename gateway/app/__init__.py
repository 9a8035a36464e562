from gateway.app.app import App
from gateway.app.core import SOCKET

__all__ = ["SOCKET", "App"]
