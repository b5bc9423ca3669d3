// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IERC4906} from "@openzeppelin/contracts/interfaces/IERC4906.sol";
import {IERC721Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {UniverseERC721} from "../src/UniverseERC721.sol";
import {UniverseTemplate} from "../src/UniverseTemplate.sol";
import {Reenterer, Taker, vm} from "./Base.sol";
import {ClassesTest} from "./Shared.t.sol";

contract ERC721Test is ClassesTest {
    UniverseERC721 private token;

    function setUp() public override {
        super.setUp();
        _fresh(ADMIN, MINTER);
        template = token;
    }

    function _fresh(address admin, address minter) internal override returns (UniverseTemplate) {
        token = UniverseERC721(_create("erc721", abi.encode("Deeds", "DEED", BASE_URI, admin, minter)));
        for (uint256 id = 0; id < 3; id++) {
            vm.prank(admin);
            token.defineClass(id, 0, "{}");
        }
        return token;
    }

    function _id(uint256 class, uint256 n) private pure returns (uint256) {
        return class << 64 | n;
    }

    function _thing(uint256 k) internal pure override returns (uint256 id, uint256 amount) {
        return (_id(k, 5), 1);
    }

    function _of(bytes32 referenceId, address to, uint256 id, uint256 n)
        internal
        pure
        override
        returns (UniverseTemplate.MintItem memory)
    {
        return _item(referenceId, to, _id(id, n), 1);
    }

    function _single(bytes32 referenceId, address to, uint256 k) internal override {
        token.mint(referenceId, to, _id(k, 5));
    }

    function _move(address from, address to, uint256 k) internal override {
        vm.prank(from);
        token.transferFrom(from, to, _id(k, 5));
    }

    function _burn(address from, uint256 k) internal override {
        vm.prank(from);
        token.burn(_id(k, 5));
    }

    function _held(address who, uint256 k) internal view override returns (uint256) {
        try token.ownerOf(_id(k, 5)) returns (address owner) {
            return owner == who ? 1 : 0;
        } catch {
            return 0;
        }
    }

    function test_describes_itself() public view {
        vm.assertEq(token.name(), "Deeds");
        vm.assertEq(token.symbol(), "DEED");
        vm.assertTrue(token.supportsInterface(0x80ac58cd) && token.supportsInterface(0x5b5e139f));
        vm.assertTrue(token.supportsInterface(0x49064906));
    }

    function testFuzz_token_uri(uint64 n) public {
        uint256 id = _id(2, n);
        vm.expectRevert(abi.encodeWithSelector(IERC721Errors.ERC721NonexistentToken.selector, id));
        token.tokenURI(id);
        vm.prank(MINTER);
        token.mint(0, ALICE, id);
        string memory contractText = Strings.toHexString(uint160(address(token)), 20);
        vm.assertEq(token.tokenURI(id), string.concat(BASE_URI, contractText, "/metadata/", Strings.toString(id)));
    }

    function test_refreshes() public {
        vm.prank(MINTER);
        vm.expectEmit();
        emit IERC4906.BatchMetadataUpdate(2 << 64, (3 << 64) - 1);
        token.setClassMetadata(2, "{}");
        vm.prank(ADMIN);
        vm.expectEmit();
        emit IERC4906.BatchMetadataUpdate(0, type(uint256).max);
        token.setBaseURI("x");
    }

    function test_a_token_is_one() public {
        vm.prank(MINTER);
        vm.expectRevert(abi.encodeWithSelector(UniverseERC721.InvalidAmount.selector, 2));
        token.mintBatch(_list(_item("r", ALICE, 1, 2)));
        vm.prank(MINTER);
        token.mint("r", ALICE, 1);
        vm.prank(MINTER);
        vm.expectRevert(abi.encodeWithSelector(IERC721Errors.ERC721InvalidSender.selector, address(0)));
        token.mint("s", BOB, 1);
        vm.assertEq(token.ownerOf(1), ALICE);
    }

    function test_supply() public {
        vm.prank(MINTER);
        token.mintBatch(_list(_item("r", ALICE, 1, 1), _item("s", BOB, 2, 1)));
        vm.assertEq(token.totalSupply(), 2);
        vm.prank(ALICE);
        token.burn(1);
        vm.assertEq(token.totalSupply(), 1);
        (,, uint256 minted) = token.classOf(0);
        vm.assertEq(minted, 2);
        vm.prank(ALICE);
        vm.expectRevert();
        token.burn(2);
    }

    function test_asked_once_for_each() public {
        Taker taker = new Taker();
        vm.prank(MINTER);
        token.mintBatch(_list(_item("r", address(taker), 1, 1), _item("s", address(taker), 2, 1)));
        vm.assertEq(taker.asked(), 2);
    }

    function test_reentry_finds_the_reference_used() public {
        Reenterer r = new Reenterer();
        bytes32 role = token.MINTER_ROLE();
        vm.prank(ADMIN);
        token.grantRole(role, address(r));
        r.arm(address(token), _item("later", address(r), 3, 1));
        r.start(
            abi.encodeCall(token.mintBatch, (_list(_item("r", address(r), 1, 1), _item("later", address(r), 2, 1))))
        );
        bytes memory want = abi.encodeWithSelector(UniverseTemplate.ReferenceUsed.selector, bytes32("later"));
        vm.assertTrue(keccak256(r.failure()) == keccak256(want));
        vm.assertEq(token.totalSupply(), 2);
    }
}
