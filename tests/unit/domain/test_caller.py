from uuid import UUID

from finbert_api.domain.caller import Caller, Role


def test_a_client_sees_its_own_predictions_and_an_admin_all():
    key_id = UUID(int=7)
    assert Caller(key_id, Role.CLIENT).visible_key_id == key_id
    assert Caller(key_id, Role.ADMIN).visible_key_id is None
